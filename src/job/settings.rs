//! Options as a script would write them.

use super::{EmbedOptions, OptionValue};

impl EmbedOptions {
    /// The value of the option `name` as a script would write it. `None` if there is no such option,
    /// or if it is a closure.
    pub fn value(&self, name: &str) -> Option<OptionValue> {
        let whole = |number: usize| OptionValue::Whole(number as i64);
        Some(match name {
            "readers" => whole(self.readers.get()),
            "prefetch" => whole(self.prefetch.get()),
            "token_budget" => self
                .token_budget
                .map_or(OptionValue::Nothing, |budget| whole(budget.get())),
            "pooling" => OptionValue::Text(self.pooling.name().to_owned()),
            "layers" => OptionValue::List(
                self.layers
                    .iter()
                    .map(|layer| OptionValue::Whole(layer.0))
                    .collect(),
            ),
            "output" => self.output.as_ref().map_or(OptionValue::Nothing, |path| {
                OptionValue::Text(path.to_string_lossy().into_owned())
            }),
            "overwrite" => OptionValue::Flag(self.overwrite),
            "overlap" => OptionValue::Flag(self.overlap),
            "packing" => OptionValue::Flag(self.packing),
            // Its values have names of their own, of which no table has a column.
            "thresholds" => OptionValue::Text(format!("{:?}", self.thresholds)),
            "monitor_hz" => OptionValue::Decimal(self.monitor_hz),
            "metrics_every" => OptionValue::Whole(self.metrics_every as i64),
            "reader_timeout" => OptionValue::Decimal(self.reader_timeout.as_secs_f64()),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_but_closures_has_a_value() {
        let options = EmbedOptions::default();
        for name in EmbedOptions::NAMES {
            let is_closure = EmbedOptions::CLOSURES.contains(&name);
            assert_eq!(options.value(name).is_none(), is_closure, "{name}");
        }
        assert_eq!(options.value("reders"), None);
    }

    #[test]
    fn values_are_read_again() {
        let mut options = EmbedOptions::default();
        for (name, value) in [
            ("readers", OptionValue::Whole(7)),
            ("layers", OptionValue::List(vec![OptionValue::Whole(3)])),
            ("output", OptionValue::Text("a.parquet".to_owned())),
            ("reader_timeout", OptionValue::Decimal(1.5)),
        ] {
            let map = [(name.to_owned(), value.clone())].into();
            options = EmbedOptions::from_map(map).unwrap();
            assert_eq!(options.value(name), Some(value));
        }
        assert_eq!(options.value("token_budget"), Some(OptionValue::Nothing));
    }
}
