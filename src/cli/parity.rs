//! `runner parity`.

use super::{args::Global, ending, parity_args::ParityArgs, wording::Wording};
use crate::{
    device::amx,
    error::{Error, exit_code},
    host::{Agreement, Difference, Parity, SameComputation},
    progress::{Console, Progress},
    script::Diagnostic,
    text::{counted, printable},
};
use comfy_table::{CellAlignment, Table, presets::NOTHING};
use serde_json::json;

/// What others hold the pooled vectors of a large ESM-2 in bf16 to: the least cosine that Synthyra's FastPLMs
/// aims at in its tests of ESM-2 3B against f32.
const USUAL_LEAST: f64 = 0.998;

/// Compares a model with itself in f32, and returns the exit code.
pub(super) fn parity(global: &Global, console: &Console, args: &ParityArgs) -> u8 {
    let cancel = match super::stopped_by_signals(global, console) {
        Ok(cancel) => cancel,
        Err(exit_code) => return exit_code,
    };
    let plan = match args.plan() {
        Ok(plan) => plan,
        Err(problems) => {
            return ending::failed(global, console, &in_flags(&problems.into()));
        }
    };
    // Who compares nothing is to know first that what was named is none.
    if let Err(error) = plan.check() {
        return ending::failed(global, console, &in_flags(&error));
    }
    match plan.same_computation() {
        Ok(None) => {}
        Ok(Some(same)) => return nothing_to_compare(global, console, args, &same),
        Err(error) => return ending::failed(global, console, &in_flags(&error)),
    }
    let parity = {
        let (_progress, events) = Progress::start(global.style(), console);
        Parity::of(&plan, events, &cancel)
    };
    let parity = match parity {
        Ok(parity) => parity,
        Err(error @ Error::Stopped(_)) => return ending::of_error(global, console, &error),
        Err(error) => return ending::failed(global, console, &in_flags(&error)),
    };
    let wanted = args.least.unwrap_or(USUAL_LEAST);
    if global.is_json() {
        let mut found = serde_json::to_value(&parity).expect("maps have texts as keys");
        found["same_computation"] = json!(false);
        found["wanted"] = json!(wanted);
        found["is_as_wanted"] = json!(parity.pooled.least >= wanted);
        console.print(&found.to_string());
    } else {
        console.print(&printable(&shown(&parity, wanted)));
    }
    if console.failure().is_some() {
        return ending::unprinted(global, console);
    }
    match args.least {
        Some(least) if parity.pooled.least < least => {
            let message = format!(
                "the pooled vectors of `{}` have a cosine of {}, less than {least}",
                parity.pooled.least_id,
                cosine(parity.pooled.least)
            );
            let hint = Some("use another `--dtype`, f32 in doubt".to_owned());
            let diagnostic = Diagnostic::of_the_program(message, hint, exit_code::UNEXPECTED);
            ending::failed(global, console, &diagnostic)
        }
        _ => exit_code::OK,
    }
}

/// What is wrong, with hints in the words of this command.
fn in_flags(error: &Error) -> Diagnostic {
    let wording = Wording::of_parity();
    Diagnostic::of_error(error).with_hints(|hint| wording.reword(hint))
}

/// Says that there is nothing to compare. A gate that is always open is none, so where a cosine is asked for that is
/// a failure.
fn nothing_to_compare(
    global: &Global,
    console: &Console,
    args: &ParityArgs,
    same: &SameComputation,
) -> u8 {
    let message = format!("nothing to compare: both are f32 on {}", same.device);
    let hint = match same.is_cpu {
        true if amx::lacking().is_none() => "try `--dtype bf16`",
        true => {
            "this CPU computes in f32 only, so this needs a GPU, or a CPU with AMX for `--dtype bf16`"
        }
        false => "try another `--dtype`, or compare with `--reference cpu`",
    };
    if global.is_json() {
        let found = json!({
            "same_computation": true,
            "dtype": "f32",
            "device": same.device,
            "wanted": args.least,
            "is_as_wanted": null,
        });
        console.print(&found.to_string());
    } else if args.least.is_none() {
        console.print(&printable(&format!("verdict  {message}: {hint}")));
    }
    if args.least.is_some() {
        let hint = Some(format!("{hint}; or leave `--least` out"));
        let diagnostic = Diagnostic::of_the_program(message, hint, exit_code::UNEXPECTED);
        return ending::failed(global, console, &diagnostic);
    }
    ending::unprinted(global, console)
}

fn shown(parity: &Parity, wanted: f64) -> String {
    let Parity {
        model,
        dtype,
        int8,
        device,
        reference_device,
        layer,
        layers,
        inputs,
        sequences,
        residues,
        ..
    } = parity;
    let place = match device == reference_device {
        true => "there, too",
        false => reference_device,
    };
    let (products, accuracy) = match int8 {
        None => (String::new(), String::new()),
        Some(int8) => (
            format!(" ({})", int8.products.join(", ")),
            format!(
                "\nwhen it was loaded, the least cosine with bf16 was {}, of {}",
                cosine(int8.accuracy),
                int8.accuracy_id
            ),
        ),
    };
    let proteins = counted(*sequences as u64, "protein", "proteins");
    let residues = counted(*residues as u64, "residue", "residues");
    let left_out = [
        (parity.truncated, "truncated"),
        (parity.rejected, "rejected"),
    ];
    let left_out = left_out.iter().filter(|(count, _)| *count > 0);
    let left_out: String = left_out
        .map(|(count, name)| format!(", {count} {name}"))
        .collect();
    let rows = [
        ("pooled", Some(&parity.pooled)),
        ("centred", parity.centred.as_ref()),
        ("residues", Some(&parity.per_residue)),
    ];
    let rows = rows.into_iter();
    let rows = rows.filter_map(|(name, agreement)| Some(vector_row(name, agreement?)));
    let vectors = table(VECTORS, rows);
    let answers = match parity.answers.is_empty() {
        true => String::new(),
        false => {
            let rows = parity.answers.iter();
            let rows = rows.map(|(name, difference)| answer_row(name, difference));
            format!("\n\n{}", table(ANSWERS, rows))
        }
    };
    let missing = parity.not_compared.iter();
    let missing: String = missing
        .map(|(name, reason)| format!("\n\nno {name}: {reason}"))
        .collect();
    format!(
        "{model}, layer {layer} of {layers}: {dtype}{products} on {device}, against f32 {place}{accuracy}\n\
         {proteins}{left_out}, {residues}: {inputs}\n\n{vectors}{answers}{missing}\n\n{}",
        verdict(parity, wanted)
    )
}

/// The columns of the table of vectors. All but the first and the last one are numbers.
const VECTORS: [&str; 6] = [
    "cosine",
    "least",
    "median",
    "difference",
    "relative",
    "least of",
];
/// The columns of the table of what heads answer.
const ANSWERS: [&str; 6] = [
    "answer",
    "largest",
    "mean",
    "agreement",
    "compared",
    "largest of",
];

fn table(header: [&str; 6], rows: impl Iterator<Item = [String; 6]>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(header);
    for column in 1..=4 {
        let column = table.column_mut(column).expect("the header has so many");
        column.set_cell_alignment(CellAlignment::Right);
    }
    for row in rows {
        table.add_row(row);
    }
    table.trim_fmt()
}

fn vector_row(name: &str, agreement: &Agreement) -> [String; 6] {
    let id = &agreement.least_id;
    [
        name.to_owned(),
        cosine(agreement.least),
        cosine(agreement.median),
        format!("{:.2e}", agreement.largest_difference),
        format!("{:.2e}", agreement.relative_norm),
        match agreement.least_residue {
            Some(residue) => format!("{id}, residue {residue}"),
            None => id.clone(),
        },
    ]
}

fn answer_row(name: &str, difference: &Difference) -> [String; 6] {
    let measure = difference.measure.iter();
    let measure: Vec<_> = measure
        .map(|(name, &value)| format!("{} {}", name.replace('_', " "), cosine(value)))
        .collect();
    let proteins = counted(difference.proteins as u64, "protein", "proteins");
    [
        name.to_owned(),
        format!("{:.2e}", difference.largest_difference),
        format!("{:.2e}", difference.mean_difference),
        measure.join(", "),
        format!(
            "{} {} of {proteins}",
            difference.numbers, difference.numbers_of
        ),
        format!("{}, {}", difference.largest_id, difference.largest_place),
    ]
}

/// A cosine or a share, of which one that is not 1 does not look like 1.
fn cosine(cosine: f64) -> String {
    match format!("{cosine:.6}") {
        text if text == "1.000000" && cosine < 1.0 - 1e-12 => {
            format!("1 - {:.0e}", 1.0 - cosine)
        }
        text => text,
    }
}

fn verdict(parity: &Parity, wanted: f64) -> String {
    let least = cosine(parity.pooled.least);
    let by = match wanted == USUAL_LEAST {
        true => " (what FastPLMs asks of ESM-2 3B in bf16)",
        false => "",
    };
    match parity.pooled.least >= wanted {
        true => {
            format!("verdict  good: pooled cosines are {least} at least, not below {wanted}{by}")
        }
        false => format!("verdict  poor: a pooled cosine is {least}, below {wanted}{by}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::InInt8;

    fn logits() -> Difference {
        Difference {
            numbers: 990,
            numbers_of: "logits",
            proteins: 2,
            largest_difference: 0.25,
            largest_id: "p1".to_owned(),
            largest_place: "residue 3".to_owned(),
            mean_difference: 0.03,
            measure: [("same_residue", 0.967)].into(),
        }
    }

    fn parity(least: f64) -> Parity {
        let agreement = |least_residue| Agreement {
            vectors: 2,
            least,
            least_id: "p1".to_owned(),
            least_residue,
            median: 0.9999,
            largest_difference: 0.0123,
            relative_norm: 0.001,
        };
        Parity {
            model: "esm2".to_owned(),
            dtype: "bf16".to_owned(),
            int8: None,
            device: "GPU".to_owned(),
            reference_device: "GPU".to_owned(),
            layer: 6,
            layers: 6,
            inputs: "a.fa".to_owned(),
            sequences: 2,
            residues: 30,
            truncated: 1,
            rejected: 0,
            pooled: agreement(None),
            centred: None,
            per_residue: agreement(Some(17)),
            answers: [("logits", logits())].into(),
            not_compared: [("contacts", "there is no head".to_owned())].into(),
        }
    }

    #[test]
    fn a_table_names_what_is_least() {
        let text = shown(&parity(0.9987), USUAL_LEAST);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "esm2, layer 6 of 6: bf16 on GPU, against f32 there, too",
                "2 proteins, 1 truncated, 30 residues: a.fa",
                "",
                " cosine       least    median  difference  relative  least of",
                " pooled    0.998700  0.999900     1.23e-2   1.00e-3  p1",
                " residues  0.998700  0.999900     1.23e-2   1.00e-3  p1, residue 17",
                "",
                " answer  largest     mean              agreement                  compared  largest of",
                " logits  2.50e-1  3.00e-2  same residue 0.967000  990 logits of 2 proteins  p1, residue 3",
                "",
                "no contacts: there is no head",
                "",
                "verdict  good: pooled cosines are 0.998700 at least, not below 0.998 (what FastPLMs asks of \
                 ESM-2 3B in bf16)",
            ]
        );
    }

    #[test]
    fn int8_is_told_with_its_products_and_its_accuracy() {
        let in_int8 = Parity {
            dtype: "int8".to_owned(),
            int8: Some(InInt8 {
                products: vec!["qkv", "fc1"],
                accuracy: 0.99942,
                accuracy_id: "sp|P1|A".to_owned(),
            }),
            ..parity(0.9987)
        };
        let text = shown(&in_int8, USUAL_LEAST);
        let expect = "esm2, layer 6 of 6: int8 (qkv, fc1) on GPU, against f32 there, too\n\
                      when it was loaded, the least cosine with bf16 was 0.999420, of sp|P1|A\n\
                      2 proteins, ";
        assert!(text.starts_with(expect), "{text}");
        let found = serde_json::to_value(&in_int8).unwrap();
        assert_eq!(found["int8_products"], json!(["qkv", "fc1"]));
        assert_eq!(found["int8_accuracy"], 0.99942);
        assert_eq!(found["int8_accuracy_id"], "sp|P1|A");
        let found = serde_json::to_value(parity(0.9987)).unwrap();
        let names = found.as_object().unwrap().keys();
        assert!(!names.into_iter().any(|name| name.starts_with("int8")));
    }

    #[test]
    fn verdicts() {
        let check = |least, wanted, expect: &str| {
            let verdict = verdict(&parity(least), wanted);
            assert!(verdict.starts_with(expect), "{verdict}");
        };
        check(0.998, 0.998, "verdict  good");
        check(0.9979, 0.998, "verdict  poor");
        check(0.9979, 0.99, "verdict  good");
    }

    #[test]
    fn what_is_nearly_one_does_not_look_like_one() {
        assert_eq!(cosine(0.99973449), "0.999734");
        assert_eq!(cosine(1.0 - 3e-8), "1 - 3e-8");
        assert_eq!(cosine(1.0 - 1e-16), "1.000000");
        assert_eq!(cosine(1.0), "1.000000");
    }
}
