//! Whether a file that is to be replaced is one that this program wrote.

use super::{PathError, Role};
use crate::{
    file::{self, FileError},
    job::Problems,
    meter::{Metric, Sample},
};
use std::{
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

/// How much of the beginning and of the end of a file is looked at.
const PART_BYTES: u64 = 64 * 1024;

/// What a picture of contacts has near its beginning.
pub const CONTACT_MAP_MARK: &str = "<!-- contacts, drawn by runner -->";

/// Checks that what is at `path`, if anything, may be replaced by a file of this role: it is empty, or
/// looks like one that this program wrote.
///
/// # Errors
/// - The file is someone else's.
/// - It cannot be read.
pub fn check_ours(role: Role, path: &Path) -> Result<(), PathError> {
    let ends = match Ends::read(path) {
        Ok(ends) => ends,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(FileError::io("read", path, error).into()),
    };
    if ends.head.is_empty() || looks_like(role, &ends) {
        return Ok(());
    }
    let shown = path.display();
    Err(Problems::one(
        format!(
            "`{shown}` exists and was not written by runner as {}",
            role.describe()
        ),
        Some("nothing was overwritten; choose another path, or remove the file".to_owned()),
    )
    .into())
}

/// The two ends of a file.
struct Ends {
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Ends {
    fn read(path: &Path) -> io::Result<Self> {
        let mut file = file::open(path)?;
        let length = file.metadata()?.len();
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        (&mut file).take(PART_BYTES).read_to_end(&mut head)?;
        file.seek(SeekFrom::Start(length.saturating_sub(PART_BYTES)))?;
        file.take(PART_BYTES).read_to_end(&mut tail)?;
        Ok(Self { head, tail })
    }

    fn first_line(&self) -> String {
        let line = self.head.split(|byte| *byte == b'\n').next();
        String::from_utf8_lossy(line.unwrap_or_default()).into_owned()
    }
}

/// Whether a file looks like one of this role. Each of them says in its first lines, or a Parquet file
/// in its last bytes, what nothing else would say there.
fn looks_like(role: Role, ends: &Ends) -> bool {
    let head = ends.head.as_slice();
    let line = ends.first_line();
    let line = line.trim_start_matches('\u{feff}').trim_end();
    match role {
        Role::Report | Role::Plot => {
            head.trim_ascii_start().starts_with(b"<!doctype html>")
                && contains(head, b"<meta name=\"generator\" content=\"runner\">")
        }
        Role::Metrics => line == Sample::line_names().join(",") || is_sample(line),
        Role::Trace => is_trace(head),
        Role::Prometheus => Metric::all()
            .any(|metric| line == format!("# HELP runner_{} {}", metric.name(), metric.meaning())),
        Role::SweepTable | Role::SavedTable => {
            // What others have added to a table stands before or behind what this program writes.
            let is_csv = || {
                let begins = |start| line.trim_start_matches('"').starts_with(start);
                (begins("param.") || begins("repeat,"))
                    && format!(",{line}").contains(",repeat,n_ok,")
                    && line.ends_with(",error")
            };
            let is_parquet = || {
                let has = |name| contains(&ends.tail, name);
                head.starts_with(b"PAR1") && has(b"n_ok") && has(b"tokens_per_sec_sd")
            };
            is_csv() || is_parquet()
        }
        Role::ContactMap => contains(head, CONTACT_MAP_MARK.as_bytes()),
        // An array has no room for a sign. No other one of ours has four dimensions.
        Role::AttentionMaps => head.starts_with(b"\x93NUMPY") && line.matches(", ").count() >= 5,
        Role::Definitions => line.starts_with("module static;"),
        Role::Manual => contains(head, b"\n.TH runner"),
        Role::ScoreNote => {
            let text = head.trim_ascii_start().strip_prefix(b"{");
            text.is_some_and(|text| {
                text.trim_ascii_start()
                    .starts_with(b"\"generator\": \"runner\"")
            })
        }
        Role::Rejects => line == "ordinal\tid\treason",
        Role::Output => is_output(ends),
        Role::Parts => true,
        Role::Script
        | Role::Module
        | Role::ModelFile
        | Role::Input
        | Role::Embeddings
        // Anybody's table may begin like one of ours.
        | Role::ContactTable
        | Role::Beside
        | Role::Printed => false,
    }
}

/// Whether a file begins like one of a format of outputs. Most of them say somewhere near an end who wrote them; of the
/// others it is seen when they are opened.
fn is_output(ends: &Ends) -> bool {
    let says_so = |bytes: &[u8]| contains(bytes, b"runner.content_blake3");
    let head = ends.head.as_slice();
    let is = |magic: &[u8]| head.starts_with(magic);
    if is(b"PAR1") || is(b"ARROW1") {
        return says_so(&ends.tail);
    }
    let is_safetensors = head.get(8) == Some(&b'{') && says_so(head);
    is(b"\x93NUMPY") || is(b"\x89HDF\r\n\x1a\n") || is_safetensors
}

/// Whether a line is a sample of a run, with all that is measured and nothing else.
fn is_sample(line: &str) -> bool {
    let sample: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(line).unwrap_or_default();
    let names = Sample::line_names();
    sample.len() == names.len() && names.iter().all(|name| sample.contains_key(*name))
}

/// Whether a file begins with the name of a run, or is a trace without any.
fn is_trace(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    let Some(events) = text.strip_prefix('[') else {
        return false;
    };
    let events = events.trim_start();
    if events.is_empty() || events.trim_end() == "]" {
        return true;
    }
    let first = events.lines().next().unwrap_or_default();
    let first: serde_json::Value =
        serde_json::from_str(first.trim_end_matches(',')).unwrap_or_default();
    let name = first["args"]["name"].as_str().unwrap_or_default();
    first["name"] == "process_name" && name.starts_with(&format!("{}: ", first["pid"]))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_others_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let check = |role: Role, contents: &str, expect: bool| {
            std::fs::write(&path, contents).unwrap();
            let is_ours = check_ours(role, &path).is_ok();
            assert_eq!(is_ours, expect, "{role:?} {contents}");
        };
        for role in [Role::Report, Role::Metrics, Role::Trace, Role::SavedTable] {
            check(role, "", true);
            check(role, ">a\nMKV\n", false);
            check(role, "let m = esm2(\"x\");\n", false);
            check(role, "{}", false);
            check(role, "\u{0}\u{1}", false);
        }
        check(Role::Report, "<!doctype html><html><p>mine</p>", false);
        let header = Sample::line_names().join(",");
        check(Role::Metrics, &header, true);
        check(Role::Metrics, &format!("{header}\n1,2,3\n"), true);
        check(Role::Metrics, &format!("{header},score\n"), false);
        check(Role::Metrics, &format!(",{header}\n"), false);
        check(Role::Metrics, "run,seconds,score\n1,2\n", false);
        let sample = serde_json::to_value(Sample::new(1.0).run()).unwrap();
        let mut line = serde_json::json!({ "run": 1, "gpu": null });
        let entries = line.as_object_mut().unwrap();
        entries.extend(sample.as_object().unwrap().clone());
        check(Role::Metrics, &format!("{line}\n"), true);
        line["score"] = 2.into();
        check(Role::Metrics, &format!("{line}\n"), false);
        check(Role::Metrics, "{\"run\":1,\"seconds\":2}\n", false);
        check(Role::ContactTable, "id,i,j,probability\n", false);
        check(Role::ContactMap, "<svg><path/></svg>", false);
        check(
            Role::ContactMap,
            &format!("<svg>{CONTACT_MAP_MARK}</svg>"),
            true,
        );
        check(Role::Output, "PAR1 rows runner.content_blake3 PAR1", true);
        check(Role::Output, "PAR1 rows of others PAR1", false);
        check(Role::Output, "text about runner.content_blake3", false);
        check(Role::ScoreNote, "{\n  \"generator\": \"runner\",\n", true);
        check(Role::ScoreNote, "{\"name\": \"runner\"}", false);
        check(
            Role::Trace,
            "[\n{\"args\":{\"name\":\"1: a\"},\"name\":\"process_name\",\"pid\":1},\n",
            true,
        );
        check(Role::Trace, "[\n]\n", true);
        check(Role::Trace, "[1, 2]", false);
        check(
            Role::Trace,
            "[{\"name\":\"process_name\",\"pid\":1,\"args\":{\"name\":\"python\"}}]",
            false,
        );
        let first = Metric::all().next().unwrap();
        let help = format!("# HELP runner_{} {}\n", first.name(), first.meaning());
        check(Role::Prometheus, &help, true);
        check(
            Role::Prometheus,
            "# HELP runner_jobs jobs of a runner\n",
            false,
        );
        check(Role::Prometheus, "# HELP node_cpu seconds\n", false);
        check(Role::SweepTable, "param.a,repeat,n_ok,error\n", true);
        check(Role::SweepTable, "repeat,n_ok,seconds,error\n", true);
        check(Role::SweepTable, "\"param.a,b\",repeat,n_ok,error\n", true);
        check(Role::SweepTable, "repeat,error\n", false);
        check(Role::SweepTable, ",param.a,repeat,n_ok,error\n", false);
        check(Role::SweepTable, "param.a,repeat,n_ok,error,score\n", false);
        std::fs::remove_file(&path).unwrap();
        check_ours(Role::Report, &path).unwrap();
    }
}
