//! What `runner check --forecast` says.

use crate::{
    host::{Forecast, Rate},
    text::{bytes, counted, duration, grouped},
};
use serde_json::{Value, json};

/// The forecast of each run, for programs.
pub(super) fn json(forecasts: &[Forecast]) -> Value {
    let of_run = |forecast: &Forecast| {
        let sample = forecast.sample.unwrap_or_default();
        let rounded = |value: Option<f64>| value.map(|value| value.round() as u64);
        json!({
            "inputs": forecast.inputs,
            "model": forecast.model,
            "input_bytes": sample.input_bytes,
            "read_bytes": sample.read_bytes,
            "proteins": forecast.proteins,
            "records": rounded(forecast.sample.map(|sample| sample.records)),
            "rows": rounded(forecast.sample.map(|sample| sample.kept)),
            "tokens": rounded(forecast.tokens()),
            "is_counted": forecast.sample.is_some_and(|sample| sample.is_counted()),
            "tokens_per_sec": forecast.rate.as_ref().map(|rate| rate.tokens_per_sec),
            "rate_known_by": forecast.rate.as_ref().map(|rate| &rate.known_by),
            "seconds": forecast.seconds(),
            "output_bytes": rounded(forecast.output_bytes),
        })
    };
    forecasts.iter().map(of_run).collect()
}

/// The forecast of each run, for people: lines that follow others.
pub(super) fn text(forecasts: &[Forecast]) -> String {
    let mut text: String = forecasts.iter().map(of_run).collect();
    if forecasts.len() > 1 {
        let seconds: Option<f64> = forecasts.iter().map(Forecast::seconds).sum();
        let of_outputs: f64 = forecasts
            .iter()
            .filter_map(|forecast| forecast.output_bytes)
            .sum();
        let time = seconds.map_or_else(|| "time unknown".to_owned(), time);
        let of_outputs = bytes(of_outputs as u64);
        text += &format!("\nall runs: {time}, {of_outputs} of outputs");
    }
    text
}

fn of_run(forecast: &Forecast) -> String {
    let mut text = format!("\n{} with {}", forecast.inputs, forecast.model);
    let mut line = |name: &str, value: String| text += &format!("\n  {name:8}{value}");
    let (Some(sample), Some(tokens)) = (forecast.sample, forecast.tokens()) else {
        line(
            "records",
            "unknown: a pipe can be read only once".to_owned(),
        );
        return text;
    };
    let how = match sample.is_counted() {
        true => "counted".to_owned(),
        false => format!(
            "estimated by {} of {}",
            bytes(sample.read_bytes),
            bytes(sample.input_bytes)
        ),
    };
    let rejected = match sample.records - sample.kept {
        n if n >= 0.5 => format!(", of which rules reject {}", three_digits(n)),
        _ => String::new(),
    };
    line(
        "records",
        match forecast.proteins {
            Some(proteins) => format!(
                "{}, of which the model sees {} sequences, {how}",
                counted(proteins, "protein", "proteins"),
                grouped(sample.sequences.round() as u64)
            ),
            None => format!("{}{rejected}, {how}", three_digits(sample.records)),
        },
    );
    line("tokens", three_digits(tokens));
    line(
        "time",
        match (&forecast.rate, forecast.seconds()) {
            (
                Some(Rate {
                    tokens_per_sec,
                    known_by,
                    is_given,
                }),
                Some(seconds),
            ) => format!(
                "{} at {} tokens/s ({known_by}{})",
                time(seconds),
                three_digits(*tokens_per_sec),
                if *is_given {
                    ""
                } else {
                    "; `--rate` tells that of other devices"
                }
            ),
            _ if forecast.lacks_gpu => {
                "unknown: this machine shows no GPU, so the model would run on the CPU; give the tokens that it does \
                 a second, or those of the devices that are meant, with `--rate`"
                    .to_owned()
            }
            _ => "unknown: give the tokens that your devices do a second with `--rate`".to_owned(),
        },
    );
    if let Some(n_bytes) = forecast.output_bytes {
        line("output", format!("about {}", bytes(n_bytes as u64)));
    }
    text
}

/// A number with three digits: 69.3 M, 302 G.
fn three_digits(number: f64) -> String {
    const PREFIXES: [(f64, &str); 4] = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    // What three digits round up belongs to the next prefix.
    let prefix = PREFIXES.iter().find(|(scale, _)| number >= 0.9995 * scale);
    let (scale, prefix) = prefix.copied().unwrap_or((1.0, ""));
    let value = number / scale;
    let n_decimals = match value {
        _ if scale == 1.0 => 0,
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.n_decimals$} {prefix}")
        .trim_end()
        .to_owned()
}

/// A time in its two largest units.
fn time(seconds: f64) -> String {
    if seconds < 1.0 {
        return "less than a second".to_owned();
    }
    let step = match seconds {
        _ if seconds >= 86_400.0 => 3600.0,
        _ if seconds >= 3600.0 => 60.0,
        _ => 1.0,
    };
    duration((seconds / step).round() * step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        let check = |number: f64, expect: &str| assert_eq!(three_digits(number), expect);
        check(0.0, "0");
        check(999.0, "999");
        check(999.6, "1.00 k");
        check(1234.0, "1.23 k");
        check(69_320_000.0, "69.3 M");
        check(999_600.0, "1.00 M");
        check(302e9, "302 G");
        check(2.5e15, "2500 T");
    }

    #[test]
    fn times_have_two_units() {
        let check = |seconds: f64, expect: &str| assert_eq!(time(seconds), expect);
        check(0.2, "less than a second");
        check(75.4, "1m 15s");
        check(42_321.0, "11h 45m");
        check(400.0 * 86_400.0 + 4000.0, "400d 1h");
        check(86_400.0, "1d");
    }
}
