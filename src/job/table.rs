//! The options of a call as a table: all that is read, shown and documented of them comes from its rows.

use super::{
    Effect, OptionDoc, OptionFlag, OptionMap, OptionValue, Problems, options::OptionReader,
    row::OptionRow,
};

/// The options of a call, which scripts give in a map and the program keeps in a `T`.
#[derive(Debug)]
pub struct OptionTable<T: 'static> {
    pub(super) rows: &'static [OptionRow<T>],
    /// What holds where a script gives nothing.
    pub(super) defaults: fn() -> T,
}

impl<T> OptionTable<T> {
    /// Every option's name in scripts.
    pub fn names(&self) -> Vec<&'static str> {
        self.rows.iter().map(|row| row.name).collect()
    }

    /// Reads the options that a script gave; the others keep their defaults.
    ///
    /// # Errors
    /// Every option that is unknown, of the wrong type or out of range.
    pub fn read(&self, map: OptionMap) -> Result<T, Problems> {
        let mut reader = OptionReader::new(map, &self.names());
        let mut options = (self.defaults)();
        for row in self.rows {
            row.read(&mut reader, &mut options);
        }
        reader.finish(options)
    }

    /// Reads the options of this table and those of another one that are `shared`, out of one map.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(super) fn read_with<U>(
        &self,
        map: OptionMap,
        other: &OptionTable<U>,
        shared: &[&'static str],
    ) -> Result<(T, U), Problems> {
        let mut names = self.names();
        names.extend(shared);
        let mut reader = OptionReader::new(map, &names);
        let (mut own, mut others) = ((self.defaults)(), (other.defaults)());
        for row in self.rows {
            row.read(&mut reader, &mut own);
        }
        for row in other.rows.iter().filter(|row| shared.contains(&row.name)) {
            row.read(&mut reader, &mut others);
        }
        reader.finish((own, others))
    }

    /// Every option but closures, with its value as a script would write it.
    pub fn values(&self, options: &T) -> impl Iterator<Item = (&'static str, OptionValue)> {
        let rows = self.rows.iter().filter(|row| !row.is_closure());
        rows.map(|row| (row.name, (row.get)(options)))
    }

    /// Every option but closures, with its value, as the map that a script would write.
    pub fn map(&self, options: &T) -> OptionMap {
        let values = self.values(options);
        values
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    /// The value of the option `name` as a script would write it. `None` if there is no such option,
    /// or if it is a closure.
    pub fn value(&self, options: &T, name: &str) -> Option<OptionValue> {
        let mut values = self.values(options);
        values.find_map(|(other, value)| (other == name).then_some(value))
    }

    /// Every option but closures and those with a table of their own, for people.
    pub fn settings(&self, options: &T) -> impl Iterator<Item = (&'static str, String)> {
        let rows = self.rows.iter().filter(|row| row.is_setting());
        rows.map(|row| (row.name, row.setting(options)))
    }

    /// Those of which `effect` depends, as the metadata of an output has them. What is not set is left
    /// out.
    pub fn with_effect(
        &self,
        effect: Effect,
        options: &T,
    ) -> impl Iterator<Item = (&'static str, String)> {
        let rows = self.rows.iter().filter(move |row| row.effect == effect);
        rows.filter_map(|row| {
            let value = (row.get)(options);
            (value != OptionValue::Nothing).then(|| (row.name, value.plain()))
        })
    }

    /// What the documentation says of each.
    pub fn docs(&self) -> Vec<OptionDoc> {
        let defaults = (self.defaults)();
        self.rows
            .iter()
            .map(|row| row.documented(&defaults))
            .collect()
    }

    /// Every option but closures as a flag of a command line.
    pub fn flags(&self) -> Vec<OptionFlag> {
        let make = self.defaults;
        let defaults = make();
        let flag = |row: &'static OptionRow<T>| {
            let form = row.flag_form()?;
            let doc = row.documented(&defaults);
            let text = row.flag_text(&doc);
            let check = move |value: &OptionValue| {
                let map = [(row.name.to_owned(), value.clone())].into();
                let mut reader = OptionReader::new(map, &[row.name]);
                row.read(&mut reader, &mut make());
                reader.finish(())
            };
            Some(OptionFlag::new(row.name, form, &text, &doc.default, check))
        };
        self.rows.iter().filter_map(flag).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{
        AttentionPlan, ContactTableOptions, EmbedOptions, Layer, Mock, ModelSpec, MutantsTable,
        PerplexityOptions, Pooling, ScoreOptions, SweepPlan, Thresholds,
    };
    use std::collections::BTreeSet;

    /// Checks what holds for every table.
    fn check<T: PartialEq + std::fmt::Debug>(table: &OptionTable<T>) {
        let names = table.names();
        let different: BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len(), "{names:?}");
        for doc in table.docs() {
            assert!(!doc.text.is_empty() && !doc.text.ends_with('.'), "{doc:?}");
        }
        // What is shown of the defaults is read as the defaults.
        let defaults = (table.defaults)();
        assert_eq!(table.read(table.map(&defaults)).unwrap(), defaults);
    }

    #[test]
    fn tables_agree_with_their_defaults() {
        check(&EmbedOptions::OPTIONS);
        check(&ModelSpec::OPTIONS);
        check(&Mock::OPTIONS);
        check(&MutantsTable::OPTIONS);
        check(&PerplexityOptions::OPTIONS);
        check(&ScoreOptions::OPTIONS);
        check(&AttentionPlan::OPTIONS);
        check(&ContactTableOptions::OPTIONS);
        check(&SweepPlan::OPTIONS);
        check(&Thresholds::OPTIONS);
    }

    #[test]
    fn an_option_is_documented() {
        let check = |docs: Vec<OptionDoc>, name: &str, default: &str, values: &str| {
            let doc = docs.iter().find(|doc| doc.name == name).unwrap();
            assert_eq!((&*doc.default, &*doc.values), (default, values));
        };
        let embed = EmbedOptions::OPTIONS.docs();
        check(embed.clone(), "readers", "2", "1 to 256");
        check(embed.clone(), "overwrite", "`false`", "`true`, `false`");
        check(embed.clone(), "output", "none", "a path");
        let layers = "an array of different whole numbers, or one";
        check(embed, "layers", "`[-1]`", layers);
        let model = ModelSpec::OPTIONS.docs();
        let gelu = "`\"auto\"`, `\"exact\"`";
        check(model.clone(), "gelu", "`\"auto\"`", gelu);
        let mock = model.iter().find(|doc| doc.name == "mock").unwrap();
        assert!(mock.text.contains("; `jitter`, "), "{mock:?}");
    }

    #[test]
    fn outputs_know_what_they_depend_on() {
        let options = EmbedOptions {
            layers: vec![Layer(0), Layer(33)],
            pooling: Some(vec![Pooling::Mean, Pooling::Std]),
            ..EmbedOptions::default()
        };
        let check = |name: &str, expect: Option<(Effect, &str)>| {
            for effect in [Effect::Values, Effect::LastBits] {
                let mut found = EmbedOptions::OPTIONS.with_effect(effect, &options);
                let value = found.find_map(|(other, value)| (other == name).then_some(value));
                let expect = expect.filter(|expect| expect.0 == effect);
                assert_eq!(value.as_deref(), expect.map(|expect| expect.1), "{name}");
            }
        };
        check("pooling", Some((Effect::Values, "mean,std")));
        check("layers", Some((Effect::Values, "0,33")));
        check("packing", Some((Effect::LastBits, "true")));
        check("readers", None);
        // It is nothing until the run knows it.
        check("token_budget", None);
    }

    #[test]
    fn settings_are_for_people() {
        let options = EmbedOptions::default();
        let settings: Vec<_> = EmbedOptions::OPTIONS.settings(&options).collect();
        let check = |name: &str, expect: &str| {
            let found = settings.iter().find(|(other, _)| *other == name);
            assert_eq!(found.map(|(_, text)| &**text), Some(expect), "{name}");
        };
        check("readers", "2");
        check("output", "none");
        check("overwrite", "false");
        check("layers", "-1");
        check("reader_timeout", "60 s");
        check("monitor_hz", "2");
        assert!(settings.iter().all(|(name, _)| *name != "on_sample"));
    }
}
