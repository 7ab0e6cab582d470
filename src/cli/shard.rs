//! Which part of the work is this process's, as flags, the environment or Slurm say.

use crate::job::{Shard, ShardError};
use std::env;

/// A part of the work, and what says that it is this process's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ChosenShard {
    pub(super) shard: Shard,
    /// For people: `SLURM_ARRAY_TASK_ID 4`.
    pub(super) by: String,
}

/// What is wrong with what says which shard this is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ChoiceError {
    #[error("{VARIABLE}: {0}")]
    Variable(ShardError),
    #[error("{name} is {value:?}, which is no number")]
    NotANumber { name: &'static str, value: String },
    #[error("{id} is set, but {missing} is not")]
    Half {
        id: &'static str,
        missing: &'static str,
    },
    #[error("task {id} of the Slurm array is none of {count} from {first} on in steps of {step}")]
    Uneven {
        id: u32,
        count: u32,
        first: u32,
        step: u32,
    },
    #[error("{id} and {count}: {error}")]
    Slurm {
        id: &'static str,
        count: &'static str,
        error: ShardError,
    },
}

impl ChoiceError {
    /// How to mend it.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Variable(_) => "unset it, or set it to `3/16` for number 3 of 16",
            Self::Uneven { .. } => {
                "submit the array as `--array=0-15`, or say which shard a task is: `--shard 3/16`"
            }
            _ => "say which shard this is with `--shard 3/16`; `--shard 0/1` is all of the work",
        }
    }
}

/// Names which shard a process is, before all but the flag.
const VARIABLE: &str = "RUNNER_SHARD";

/// The variables of the environment, however they are known.
type Variables<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// What can say which shard this is.
type Source = fn(&Variables) -> Result<Option<ChosenShard>, ChoiceError>;

/// What is asked where no flag says it. The first that knows decides.
const SOURCES: [Source; 2] = [of_variable, of_slurm];

/// A number among several that Slurm gives a process.
struct Place {
    /// The variables that hold which one it is, and how many there are.
    id: &'static str,
    /// The first one of them that is there counts.
    counts: &'static [&'static str],
    /// Whether the number means anything, in this environment.
    applies: fn(&Variables) -> bool,
    /// From the number in the variable to one from 0 on.
    index: fn(&Variables, u32, u32) -> Result<u32, ChoiceError>,
}

/// From the outer one to the inner one: each task of an array may have several processes.
const PLACES: [Place; 2] = [
    Place {
        id: "SLURM_ARRAY_TASK_ID",
        counts: &["SLURM_ARRAY_TASK_COUNT"],
        applies: |_| true,
        index: index_in_array,
    },
    Place {
        id: "SLURM_PROCID",
        counts: &["SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"],
        // A batch script is process 0 of the job, and does the work of none but itself.
        applies: |variables| variables("SLURM_STEP_ID").is_some(),
        index: |_, id, _| Ok(id),
    },
];

/// Which part of the work is this process's: what the flag says, else what the environment says. Nothing if
/// it is all of the work.
///
/// # Errors
/// The environment makes no sense.
pub(super) fn choose(flag: Option<Shard>) -> Result<Option<ChosenShard>, ChoiceError> {
    choose_by(flag, &|name| {
        env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    })
}

fn choose_by(
    flag: Option<Shard>,
    variables: &Variables,
) -> Result<Option<ChosenShard>, ChoiceError> {
    let mut chosen = flag.map(|shard| ChosenShard {
        shard,
        by: "--shard".to_owned(),
    });
    for source in SOURCES {
        if chosen.is_none() {
            chosen = source(variables)?;
        }
    }
    Ok(chosen.filter(|chosen| chosen.shard.is_a_part()))
}

fn of_variable(variables: &Variables) -> Result<Option<ChosenShard>, ChoiceError> {
    let Some(value) = variables(VARIABLE).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let shard = value.parse().map_err(ChoiceError::Variable)?;
    let by = VARIABLE.to_owned();
    Ok(Some(ChosenShard { shard, by }))
}

/// The task of an array, the process of a step, or the one within the other.
fn of_slurm(variables: &Variables) -> Result<Option<ChosenShard>, ChoiceError> {
    let mut chosen: Option<ChosenShard> = None;
    for place in PLACES {
        let Some(id) = number(variables, place.id)?.filter(|_| (place.applies)(variables)) else {
            continue;
        };
        let mut counts = place.counts.iter().copied();
        let count = counts.find(|name| variables(name).is_some());
        let count_name = count.unwrap_or(place.counts[0]);
        let Some(count) = number(variables, count_name)? else {
            return Err(ChoiceError::Half {
                id: place.id,
                missing: count_name,
            });
        };
        let index = (place.index)(variables, id, count)?;
        let refused = |error| ChoiceError::Slurm {
            id: place.id,
            count: count_name,
            error,
        };
        let inner = Shard::new(index, count).map_err(refused)?;
        if !inner.is_a_part() {
            continue;
        }
        let by = format!("{} {id}", place.id);
        chosen = Some(match chosen {
            None => ChosenShard { shard: inner, by },
            Some(outer) => ChosenShard {
                shard: within(outer.shard, inner).map_err(refused)?,
                by: format!("{}, {by}", outer.by),
            },
        });
    }
    Ok(chosen)
}

/// A shard of a shard, as one of all.
fn within(outer: Shard, inner: Shard) -> Result<Shard, ShardError> {
    let count = outer.count().saturating_mul(inner.count());
    let index = outer.index().saturating_mul(inner.count());
    Shard::new(index.saturating_add(inner.index()), count)
}

/// Which of its tasks a task of an array is, by its id.
fn index_in_array(variables: &Variables, id: u32, count: u32) -> Result<u32, ChoiceError> {
    const FIRST: &str = "SLURM_ARRAY_TASK_MIN";
    let first = number(variables, FIRST)?.ok_or(ChoiceError::Half {
        id: "SLURM_ARRAY_TASK_ID",
        missing: FIRST,
    })?;
    let step = number(variables, "SLURM_ARRAY_TASK_STEP")?
        .unwrap_or(1)
        .max(1);
    let index = id.checked_sub(first).filter(|behind| behind % step == 0);
    let index = index.map(|behind| behind / step);
    index
        .filter(|index| *index < count)
        .ok_or(ChoiceError::Uneven {
            id,
            count,
            first,
            step,
        })
}

fn number(variables: &Variables, name: &'static str) -> Result<Option<u32>, ChoiceError> {
    let Some(value) = variables(name).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    match value.parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(ChoiceError::NotANumber { name, value }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(
        flag: Option<&str>,
        variables: &[(&str, &str)],
    ) -> Result<Option<ChosenShard>, ChoiceError> {
        let find = |name: &str| {
            let mut variables = variables.iter();
            let found = variables.find(|(found, _)| *found == name)?;
            Some(found.1.to_owned())
        };
        choose_by(flag.map(|flag| flag.parse().unwrap()), &find)
    }

    const ARRAY: [(&str, &str); 4] = [
        ("SLURM_ARRAY_TASK_ID", "4"),
        ("SLURM_ARRAY_TASK_MIN", "1"),
        ("SLURM_ARRAY_TASK_COUNT", "16"),
        ("SLURM_ARRAY_TASK_STEP", "1"),
    ];
    const STEP: [(&str, &str); 4] = [
        ("SLURM_STEP_ID", "0"),
        ("SLURM_PROCID", "1"),
        ("SLURM_NTASKS", "4"),
        ("SLURM_STEP_NUM_TASKS", "4"),
    ];

    #[test]
    fn the_first_source_that_knows_decides() {
        let check = |flag, variables: &[(&str, &str)], expect: Option<(&str, &str)>| {
            let chosen = chosen(flag, variables).unwrap();
            let chosen = chosen.map(|chosen| (chosen.shard.to_string(), chosen.by));
            let expect = expect.map(|(shard, by)| (shard.to_owned(), by.to_owned()));
            assert_eq!(chosen, expect, "{flag:?} {variables:?}");
        };
        let with = |variables: &[(&'static str, &'static str)],
                    more: &[(&'static str, &'static str)]| {
            [more, variables].concat()
        };
        check(None, &[], None);
        check(Some("2/3"), &[], Some(("2/3", "--shard")));
        let named = [("RUNNER_SHARD", "0/2")];
        check(None, &named, Some(("0/2", "RUNNER_SHARD")));
        check(Some("2/3"), &named, Some(("2/3", "--shard")));
        check(None, &with(&ARRAY, &named), Some(("0/2", "RUNNER_SHARD")));
        check(None, &ARRAY, Some(("3/16", "SLURM_ARRAY_TASK_ID 4")));
        check(None, &STEP, Some(("1/4", "SLURM_PROCID 1")));
        check(
            None,
            &with(&ARRAY, &STEP),
            Some(("13/64", "SLURM_ARRAY_TASK_ID 4, SLURM_PROCID 1")),
        );
        // What is switched off, is empty, or is one of one.
        check(Some("0/1"), &with(&ARRAY, &named), None);
        check(None, &with(&ARRAY, &[("RUNNER_SHARD", "0/1")]), None);
        check(None, &[("RUNNER_SHARD", "")], None);
        let steps = [("SLURM_ARRAY_TASK_ID", "9"), ("SLURM_ARRAY_TASK_STEP", "4")];
        check(
            None,
            &with(&ARRAY, &steps),
            Some(("2/16", "SLURM_ARRAY_TASK_ID 9")),
        );
        let alone = [
            ("SLURM_ARRAY_TASK_COUNT", "1"),
            ("SLURM_ARRAY_TASK_MIN", "4"),
        ];
        check(None, &with(&ARRAY, &alone), None);
        check(
            None,
            &with(&with(&ARRAY, &alone), &STEP),
            Some(("1/4", "SLURM_PROCID 1")),
        );
        // A step of another size than the job.
        check(
            None,
            &with(&STEP, &[("SLURM_STEP_NUM_TASKS", "2")]),
            Some(("1/2", "SLURM_PROCID 1")),
        );
    }

    #[test]
    fn a_batch_script_is_no_shard() {
        let script = [("SLURM_PROCID", "0"), ("SLURM_NTASKS", "4")];
        assert_eq!(chosen(None, &script), Ok(None));
    }

    #[test]
    fn nonsense_is_refused() {
        let check = |variables: &[(&str, &str)], expect: &str| {
            let error = chosen(None, variables).unwrap_err();
            assert!(error.to_string().contains(expect), "{error}");
            assert!(error.hint().contains('/'), "{}", error.hint());
        };
        let but = |name: &'static str, value: &'static str| {
            let mut variables = ARRAY.to_vec();
            variables.insert(0, (name, value));
            variables
        };
        check(
            &[("RUNNER_SHARD", "4/4")],
            "RUNNER_SHARD: there is no shard 4 of 4",
        );
        check(&[("RUNNER_SHARD", "x")], "RUNNER_SHARD: `x` is no shard");
        check(
            &but("SLURM_ARRAY_TASK_ID", "x"),
            "SLURM_ARRAY_TASK_ID is \"x\"",
        );
        check(
            &but("SLURM_ARRAY_TASK_ID", "17"),
            "task 17 of the Slurm array is none of 16",
        );
        check(
            &but("SLURM_ARRAY_TASK_ID", "0"),
            "task 0 of the Slurm array is none",
        );
        check(&but("SLURM_ARRAY_TASK_STEP", "2"), "in steps of 2");
        check(
            &but("SLURM_ARRAY_TASK_COUNT", ""),
            "SLURM_ARRAY_TASK_COUNT is not",
        );
        check(&ARRAY[..1], "SLURM_ARRAY_TASK_COUNT is not");
        check(
            &[
                ("SLURM_STEP_ID", "0"),
                ("SLURM_PROCID", "4"),
                ("SLURM_NTASKS", "4"),
            ],
            "there is no shard 4 of 4",
        );
    }
}
