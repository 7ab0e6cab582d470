//! The rules of a dataset as flags of a command line: the calls of a script that they stand for.

use super::{
    Dataset, FlagForm, LongSequences, OptionFlag, OptionMap, OptionValue, Problems, ResiduePolicy,
    options::whole_in,
};

/// A rule: its name, how a text stands for the arguments of its call, what it does, and what holds without it.
type Row = (
    &'static str,
    FlagForm,
    &'static str,
    &'static str,
    fn(Dataset, &[OptionValue]) -> Result<Dataset, Problems>,
);

#[rustfmt::skip]
const RULES: [Row; 5] = [
    ("min_length", FlagForm::Whole, "reject sequences of fewer residues", "none",
        |to, given| to.min_length(whole("min_length", given)?)),
    ("max_length", FlagForm::Whole, "reject sequences of more residues", "none",
        |to, given| to.max_length(whole("max_length", given)?)),
    ("long_sequences", FlagForm::NameAndWhole(&LongSequences::NAMES),
        "what becomes of sequences of more residues than the number says (1,022): `truncate` embeds their beginning, \
         `skip` rejects them, `error` stops the run, `window` embeds windows of that length and joins them, as in \
         `window=1022,overlap=256`, `full` embeds all that fit into a batch", "truncate=1022",
        |to, given| {
            let (given, options) = match given {
                [given @ .., OptionValue::Map(options)] => (given, options.clone()),
                given => (given, OptionMap::new()),
            };
            let residues = match given {
                [_] => None,
                given => Some(whole("long_sequences", given)?),
            };
            to.long_sequences(name(given), residues, options)
        }),
    ("unknown_residues", FlagForm::Name(&ResiduePolicy::NAMES),
        "what becomes of characters outside the alphabet: `unk` embeds them as unknown residues, `strip` removes them, \
         `error` stops the run", "unk",
        |to, given| to.unknown_residues(name(given))),
    ("take", FlagForm::Whole, "stop after so many records of the input, the rejected ones included", "all",
        |to, given| to.take(whole("take", given)?)),
];

impl Dataset {
    /// Every rule as a flag, in the order in which scripts say them. The items of a value are the arguments of the
    /// call that has this name.
    pub fn flags() -> Vec<OptionFlag> {
        let flag = |(name, form, doc, default, rule): Row| {
            let check =
                move |value: &OptionValue| rule(Self::new(Vec::new()), value.items()).map(|_| ());
            OptionFlag::new(name, form, doc, default, check)
        };
        RULES.map(flag).into()
    }
}

fn name(given: &[OptionValue]) -> &str {
    match given {
        [OptionValue::Text(text), ..] => text,
        _ => "",
    }
}

fn whole(name: &str, given: &[OptionValue]) -> Result<i64, Problems> {
    match given {
        [.., OptionValue::Whole(number)] => Ok(*number),
        given => {
            let given = given.last().map_or_else(String::new, OptionValue::describe);
            let expected = whole_in(&(0..=i64::MAX));
            let message = format!("`{name}` is {given}, but must be {expected}");
            Err(Problems::one(message, None))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_a_flag() {
        let rules = Dataset::new(Vec::new()).rules().map(|(name, _)| name);
        let flags = Dataset::flags();
        assert_eq!(
            rules.to_vec(),
            flags.iter().map(|flag| flag.name).collect::<Vec<_>>()
        );
        for (flag, (_, rule)) in flags.iter().zip(Dataset::new(Vec::new()).rules()) {
            // What is said to hold without it holds without it.
            let rule = rule.map(|rule| rule.replace(' ', "="));
            assert!(rule.is_none_or(|rule| rule == flag.default), "{flag:?}");
        }
    }
}
