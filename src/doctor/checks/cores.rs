//! The cores that the program may use, and what they can do.

use crate::{
    device::usual_threads,
    doctor::{
        check::Tell,
        finding::{Finding, State},
        machine::Machine,
    },
    text::in_number,
};
use std::fs;

/// Vector units that the program has code for, or the libraries that it computes with, as the kernel calls them.
const VECTOR_UNITS: [(&str, &str); 7] = [
    ("avx2", "AVX2"),
    ("fma", "FMA"),
    ("avx512f", "AVX-512"),
    ("avx512_bf16", "AVX-512 BF16"),
    ("amx_tile", "AMX"),
    ("asimd", "NEON"),
    ("sve", "SVE"),
];

/// How many there are and may be used, and their vector units.
pub(super) fn look(_: &Machine, tell: Tell) {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let n_there = info
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let model = field(&info, "model name").unwrap_or("processor of unknown name");
    let n_allowed = match usual_threads() {
        Ok(n_allowed) => n_allowed,
        Err(error) => {
            tell(Finding::of_error(State::Failure, "cores", &error));
            return;
        }
    };
    let flags = field(&info, "flags").or_else(|| field(&info, "Features"));
    let flags: Vec<&str> = flags.unwrap_or_default().split_whitespace().collect();
    let units = VECTOR_UNITS.iter().filter(|(flag, _)| flags.contains(flag));
    let units: Vec<&str> = units.map(|(_, name)| *name).collect();
    let cores = in_number(n_allowed as u64, "core", "cores");
    let shown = match units.as_slice() {
        [] => "no vector unit that is known".to_owned(),
        units => units.join(", "),
    };
    let mut finding = Finding::good("cores", format!("{n_allowed} {cores} of {model}; {shown}"));
    let is_x86 = cfg!(target_arch = "x86_64");
    if is_x86 && !units.contains(&"AVX2") {
        finding = Finding::warning(
            "cores",
            finding.text,
            "without AVX2 the CPU computes several times slower",
        );
    } else if n_allowed < n_there {
        let text = format!("{n_allowed} of {n_there} cores of {model}; {shown}");
        let remedy = "affinity, the quota of a container or job, SLURM_CPUS_PER_TASK or RAYON_NUM_THREADS keeps the others: \
                      ask for more if models run on the CPU";
        finding = Finding::warning("cores", text, remedy);
    }
    let finding = finding
        .with("allowed", n_allowed)
        .with("present", n_there)
        .with("model", model)
        .with("vector_units", units);
    tell(finding);
}

/// What the first line with this name says.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = info.lines();
    lines.find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_list_is_read() {
        let info = "processor\t: 0\nmodel name\t: A CPU: fast\nflags\t\t: fpu avx2\n\nprocessor\t: 1\nflags\t\t: fpu\n";
        assert_eq!(field(info, "flags"), Some("fpu avx2"));
        assert_eq!(field(info, "model name"), Some("A CPU: fast"));
        assert_eq!(field(info, "Features"), None);
    }
}
