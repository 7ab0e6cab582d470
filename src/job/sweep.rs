//! What a parameter sweep is called, and how its points are measured.

use super::{
    Dtype, Int8, OptionMap, OptionTable, OptionValue, Problems, Shard, check_name,
    row::{OptionRow, non_zero},
};
use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

/// A parameter sweep as a script asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepPlan {
    /// The sweep's name, which is that of its files, too.
    pub name: String,
    /// How often a point is measured.
    pub repeat: NonZeroUsize,
    /// Runs of a point before the ones that count.
    pub warmup: usize,
    /// Where rows are saved as their points end; without one nothing is saved by itself.
    pub folder: Option<PathBuf>,
    /// Which process keeps the table, if several work on the sweep.
    pub shard: Option<Shard>,
    /// Skip the points that `folder` has already.
    pub resume: bool,
}

type Row = OptionRow<SweepPlan>;

#[rustfmt::skip]
const OPTIONS: &[Row] = &[
    Row::whole("repeat", 1..=MOST_RUNS, |to, n| to.repeat = non_zero(n), |of| of.repeat.into())
        .doc("how often a point is measured; with more than one, speeds have a deviation"),
    Row::whole("warmup", 0..=MOST_RUNS, |to, n| to.warmup = n.unsigned_abs() as usize, |of| of.warmup.into())
        .doc("runs of a point before those that count"),
    Row::path("folder", "a folder, such as \"sweeps\"", check_name, |to, folder| to.folder = Some(folder),
        |of| of.folder.as_deref().into())
        .doc("where the table is saved as each point ends, as `<name>.csv` and `<name>.parquet`; without one, nothing \
              is saved by itself"),
    Row::flag("resume", |to, flag| to.resume = flag, |of| of.resume.into())
        .doc("skip points that the file in `folder` has, without an error and measured as often; `false` begins the \
              file anew. Points are told apart by their parameters alone: give a sweep of another model or dataset \
              another name"),
];

/// More measurements of a point than this are a typing error, not a wish.
const MOST_RUNS: i64 = 1_000;

impl SweepPlan {
    /// Every option of `sweep`, in the order in which problems are told.
    pub const OPTIONS: OptionTable<Self> = OptionTable {
        rows: OPTIONS,
        defaults: || Self::new(""),
    };

    /// The sweep `name` with every option at its default.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            repeat: NonZeroUsize::MIN,
            warmup: 0,
            folder: None,
            shard: None,
            resume: true,
        }
    }

    /// The sweep `name` with the options that a script gave.
    ///
    /// # Errors
    /// A name that no file can have, and every option that is unknown, of the wrong type or out of
    /// range.
    pub fn from_map(name: &str, map: OptionMap) -> Result<Self, Problems> {
        let is_plain = Path::new(name).file_name().is_some_and(|file| file == name)
            && !name.contains(char::is_control);
        if !is_plain {
            return Err(Problems::one(
                format!("a sweep cannot be called {name:?}"),
                Some(
                    "its files get its name: give one like \"readers\", and say where the files \
                      belong with `folder`"
                        .to_owned(),
                ),
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            ..Self::OPTIONS.read(map)?
        })
    }

    /// The files that rows are saved in as their points end: CSV, then Parquet.
    pub fn files(&self) -> Vec<PathBuf> {
        let folder = self.folder.iter();
        folder
            .flat_map(|folder| {
                ["csv", "parquet"].map(|ending| folder.join(format!("{}.{ending}", self.name)))
            })
            .map(|path| match self.shard {
                Some(shard) => shard.own_file(&path),
                None => path,
            })
            .collect()
    }

    /// The parameters of a point, without those that say nothing.
    ///
    /// # Errors
    /// Every parameter that cannot be written into a table, and options of int8 beside another number format.
    pub fn params(map: OptionMap) -> Result<OptionMap, Problems> {
        let mut problems = Problems::default();
        let mut params = OptionMap::new();
        for (name, value) in map {
            if let Some(type_name) = unwritable(&value) {
                problems.add_option(
                    &name,
                    format!("the parameter `{name}` holds a value of type {type_name}"),
                    Some("parameters are numbers, strings, flags, or arrays of them".to_owned()),
                );
            } else if value != OptionValue::Nothing {
                params.insert(name, value);
            }
        }
        if params
            .get("dtype")
            .is_some_and(|dtype| *dtype != Dtype::Int8.name().into())
            && let Err(mut of_int8) = Int8::refuse_options(&params)
        {
            problems.0.append(&mut of_int8.0);
        }
        problems.none_or(params)
    }
}

/// The type of a value, or of one inside of it, that has no text to be known by.
fn unwritable(value: &OptionValue) -> Option<&str> {
    match value {
        OptionValue::Other(type_name) => Some(type_name),
        OptionValue::List(items) => items.iter().find_map(unwritable),
        OptionValue::Map(_) => Some("map"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::Hint;
    use crate::job::OptionValue::*;

    fn map(options: &[(&str, OptionValue)]) -> OptionMap {
        options
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect()
    }

    #[test]
    fn options_of_a_sweep() {
        let plan = SweepPlan::from_map(
            "readers",
            map(&[
                ("repeat", Whole(3)),
                ("warmup", Whole(1)),
                ("folder", Text("sweeps".to_owned())),
                ("resume", Flag(false)),
            ]),
        )
        .unwrap();
        assert_eq!((plan.repeat.get(), plan.warmup), (3, 1));
        assert_eq!(plan.folder, Some(PathBuf::from("sweeps")));
        assert!(!plan.resume);
        let plan = SweepPlan::from_map("readers", OptionMap::new()).unwrap();
        assert_eq!(plan, SweepPlan::new("readers"));
    }

    #[test]
    fn wrong_options_of_a_sweep() {
        let check = |name: &str, options: &[(&str, OptionValue)], expect: &str| {
            let problems = SweepPlan::from_map(name, map(options)).unwrap_err();
            assert!(problems.in_full().contains(expect), "{problems}");
        };
        check("", &[], "a sweep cannot be called \"\"");
        check("a/b", &[], "a sweep cannot be called \"a/b\"");
        check("..", &[], "a sweep cannot be called");
        check("a", &[("repeats", Whole(3))], "did you mean `repeat`?");
        check("a", &[("repeat", Whole(0))], "whole number from 1 to 1000");
        check("a", &[("folder", Flag(true))], "but must be a folder");
    }

    #[test]
    fn parameters_of_a_point() {
        let params = SweepPlan::params(map(&[
            ("readers", Whole(2)),
            ("token_budget", Nothing),
            ("layers", List(vec![Whole(0), Whole(-1)])),
        ]))
        .unwrap();
        assert_eq!(params.keys().collect::<Vec<_>>(), ["layers", "readers"]);
        let wrong = map(&[("f", List(vec![Other("Fn".to_owned())]))]);
        let problems = SweepPlan::params(wrong).unwrap_err();
        assert!(problems.in_full().contains("of type Fn"), "{problems}");
    }

    #[test]
    fn products_in_int8_are_parameters_of_points_in_int8() {
        let params = |dtype: OptionValue| {
            SweepPlan::params(map(&[
                ("dtype", dtype),
                ("int8_products", Text("qkv".to_owned())),
            ]))
        };
        assert!(params(Text("int8".to_owned())).is_ok());
        // Whether the model is in int8 is known once the point has run.
        assert!(params(Nothing).is_ok());
        let refused = params(Text("bf16".to_owned())).unwrap_err().in_full();
        let expect = "`int8_products` is for models in int8, and this one is not (add `dtype: \"int8\"`, or leave \
                      `int8_products` out)";
        assert_eq!(refused, expect);
    }
}
