//! From the GPUs that there are to those that are meant.

use super::found::Found;
use crate::{
    device::DeviceError,
    job::{DeviceChoice, GpuChoice},
};

/// The oldest compute capability that the kernels are written for: Ampere's.
const LEAST_CAPABILITY: (u32, u32) = (8, 0);

/// The GPUs among `present` that `choice` names: at least one, none twice, and all of one kind.
///
/// # Errors
/// If one is not there or is too old, if two names mean one GPU, or if the GPUs are of several kinds.
pub(super) fn select<'a>(
    choice: &DeviceChoice,
    present: &'a [Found],
) -> Result<Vec<&'a Found>, DeviceError> {
    let chosen: Vec<&Found> = match choice {
        DeviceChoice::Cpu | DeviceChoice::Mock => Vec::new(),
        DeviceChoice::Auto => {
            // One that is too old is named only where there is no better one.
            let new_enough = present.iter().find(|found| is_new_enough(found));
            new_enough.or(present.first()).into_iter().collect()
        }
        DeviceChoice::AllGpus => present.iter().collect(),
        DeviceChoice::Gpus(names) => {
            let named = names.iter().map(|name| find(name, present));
            named.collect::<Result<_, _>>()?
        }
    };
    if chosen.is_empty() {
        return Err(DeviceError::NoGpu);
    }
    if let DeviceChoice::Gpus(names) = choice {
        let ordinals = chosen.iter().map(|found| found.ordinal);
        let named: Vec<_> = names.iter().zip(ordinals).collect();
        for (n, (name, ordinal)) in named.iter().enumerate() {
            if let Some((first, _)) = named[..n].iter().find(|(_, other)| other == ordinal) {
                return Err(DeviceError::SameGpu {
                    first: (*first).clone(),
                    second: (*name).clone(),
                });
            }
        }
    }
    one_kind(&chosen)?;
    match chosen.iter().find(|found| !is_new_enough(found)) {
        Some(found) => Err(DeviceError::TooOld {
            name: found.name.clone(),
            capability: found.capability,
        }),
        None => Ok(chosen),
    }
}

/// The GPU among `present` with a name.
fn find<'a>(name: &GpuChoice, present: &'a [Found]) -> Result<&'a Found, DeviceError> {
    if present.is_empty() {
        return Err(DeviceError::NoGpu);
    }
    let mut fitting = present.iter().filter(|found| match name {
        GpuChoice::Ordinal(ordinal) => found.ordinal == *ordinal,
        GpuChoice::Uuid(uuid) => found.uuid.eq_ignore_ascii_case(uuid),
    });
    fitting.next().ok_or_else(|| DeviceError::NoSuchGpu {
        asked: name.clone(),
        present: present.iter().map(Found::describe).collect(),
    })
}

/// Checks that the same sequence gets the same bits on all of them: GPUs of one name compute alike, and an
/// output must not depend on which of them had a sequence.
fn one_kind(chosen: &[&Found]) -> Result<(), DeviceError> {
    let mut kinds: Vec<(String, Vec<usize>)> = Vec::new();
    for found in chosen {
        match kinds.iter_mut().find(|(name, _)| *name == found.name) {
            Some((_, ordinals)) => ordinals.push(found.ordinal),
            None => kinds.push((found.name.clone(), vec![found.ordinal])),
        }
    }
    match kinds.len() {
        1 => Ok(()),
        _ => Err(DeviceError::SeveralKinds(kinds)),
    }
}

/// How many GPUs there are of the kind of those that were chosen, beside them.
pub(super) fn others_of_the_kind(chosen: &[&Found], present: &[Found]) -> usize {
    let is_chosen = |other: &Found| chosen.iter().any(|found| found.ordinal == other.ordinal);
    let is_alike = |other: &Found| chosen.iter().any(|found| found.name == other.name);
    let others = present
        .iter()
        .filter(|other| !is_chosen(other) && is_alike(other));
    others.count()
}

/// Whether the kernels are written for it.
pub(super) fn is_new_enough(found: &Found) -> bool {
    found.capability >= LEAST_CAPABILITY
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::Hint;

    const H100: &str = "NVIDIA H100 80GB HBM3";
    const T4: &str = "Tesla T4";

    /// GPUs of these names, in the order of their ordinals. Their UUIDs end with their ordinals.
    fn present(names: &[&str]) -> Vec<Found> {
        let gpus = names.iter().enumerate();
        gpus.map(|(ordinal, &name)| Found {
            ordinal,
            device: ordinal as i32,
            name: name.to_owned(),
            uuid: format!("GPU-{ordinal}"),
            capability: if name == T4 { (7, 5) } else { (9, 0) },
            n_multiprocessors: 1,
        })
        .collect()
    }

    fn named(names: &[&str]) -> DeviceChoice {
        let gpus = names
            .iter()
            .map(|name| match DeviceChoice::from_name(name) {
                // Those of the GPUs here are short.
                None if name.starts_with("GPU-") => GpuChoice::Uuid((*name).to_owned()),
                Some(DeviceChoice::Gpus(mut gpus)) => gpus.remove(0),
                other => panic!("{name}: {other:?}"),
            });
        DeviceChoice::Gpus(gpus.collect())
    }

    /// The ordinals that are chosen, or a part of the error.
    fn check(choice: &DeviceChoice, names: &[&str], expect: Result<&[usize], &str>) {
        let present = present(names);
        let ordinals = |chosen: Vec<&Found>| chosen.iter().map(|gpu| gpu.ordinal).collect();
        match (
            select(choice, &present).map(ordinals),
            expect.map(<[_]>::to_vec),
        ) {
            (Ok(got), Ok(expect)) => {
                let got: Vec<usize> = got;
                assert_eq!(got, expect, "{choice:?} of {names:?}");
            }
            (Err(error), Err(part)) => {
                let text = error.in_full();
                assert!(text.contains(part), "{choice:?} of {names:?}: {text}");
            }
            (got, _) => panic!("{choice:?} of {names:?}: {got:?}"),
        }
    }

    #[test]
    fn gpus_are_chosen_by_name_in_the_order_of_the_names() {
        let four = [H100; 4];
        check(&DeviceChoice::Auto, &four, Ok(&[0]));
        check(&DeviceChoice::AllGpus, &four, Ok(&[0, 1, 2, 3]));
        check(&DeviceChoice::AllGpus, &[H100], Ok(&[0]));
        check(&named(&["cuda:2", "cuda"]), &four, Ok(&[2, 0]));
        check(&named(&["GPU-3", "cuda:0"]), &four, Ok(&[3, 0]));
    }

    #[test]
    fn gpus_that_are_not_there_are_told_with_those_that_are() {
        let two = [H100; 2];
        let absent = named(&["cuda:1", "cuda:5"]);
        check(&absent, &two, Err("there is no device \"cuda:5\" here"));
        check(
            &absent,
            &two,
            Err("\"cuda:1\" (NVIDIA H100 80GB HBM3, GPU-1)"),
        );
        for choice in [&absent, &DeviceChoice::AllGpus, &DeviceChoice::Auto] {
            check(choice, &[], Err("shows no GPU"));
        }
    }

    #[test]
    fn two_names_of_one_gpu_are_refused() {
        let two = [H100; 2];
        let both = named(&["cuda:1", "GPU-1"]);
        check(&both, &two, Err("\"cuda:1\" and \"GPU-1\" are one GPU"));
        check(&named(&["GPU-0", "cuda:1"]), &two, Ok(&[0, 1]));
    }

    #[test]
    fn gpus_of_several_kinds_are_refused_with_lists_of_those_that_go_together() {
        let mixed = [H100, T4, H100];
        for part in [
            "NVIDIA H100 80GB HBM3 and Tesla T4",
            "take `device: [\"cuda:0\", \"cuda:2\"]` (NVIDIA H100 80GB HBM3) or `device: \"cuda:1\"` (Tesla T4)",
        ] {
            check(&DeviceChoice::AllGpus, &mixed, Err(part));
        }
        check(&named(&["cuda:0", "cuda:2"]), &mixed, Ok(&[0, 2]));
    }

    #[test]
    fn others_of_the_kind_are_counted() {
        let present = present(&[H100, T4, H100, H100]);
        let chosen = select(&DeviceChoice::Auto, &present).expect("a GPU");
        assert_eq!(others_of_the_kind(&chosen, &present), 2);
        let chosen = [&present[0], &present[2], &present[3]];
        assert_eq!(others_of_the_kind(&chosen, &present), 0);
    }

    #[test]
    fn gpus_that_are_too_old_are_left_out_where_the_program_chooses() {
        check(&DeviceChoice::Auto, &[T4, H100], Ok(&[1]));
        let old = "Tesla T4 has compute capability 7.5";
        check(&DeviceChoice::Auto, &[T4], Err(old));
        check(&DeviceChoice::AllGpus, &[T4, T4], Err(old));
        check(&named(&["cuda:0"]), &[T4, H100], Err(old));
    }
}
