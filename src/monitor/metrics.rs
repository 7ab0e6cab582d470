//! Samples as lines of a file, as batches end.

use super::MonitorError;
use crate::meter::{Measured, Metric, Sample};
use serde::Serialize;
use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// A file with a line every few batches: CSV with a header, or a JSON object a line. Each line is in
/// the file when its batches are done, so a killed run leaves all of them.
///
/// Where a run has several lanes a line of each follows that of the whole run, with the same columns and the
/// lane's number. What is said of the whole run has no number, so that a table can be grouped by it.
#[derive(Debug)]
pub(super) struct MetricsFile {
    file: File,
    path: PathBuf,
    format: Format,
}

#[derive(Clone, Copy, Debug)]
enum Format {
    Csv,
    JsonLines,
}

impl Format {
    fn of(path: &Path) -> Result<Self, MonitorError> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("csv") => Ok(Self::Csv),
            Some("jsonl") => Ok(Self::JsonLines),
            _ => Err(MonitorError::Format(path.to_owned())),
        }
    }
}

/// Checks that the end of a path says in which format to write measurements.
///
/// # Errors
/// If it does not.
pub fn check_ending(path: &Path) -> Result<(), MonitorError> {
    Format::of(path).map(|_| ())
}

/// A line, as JSON.
#[derive(Serialize)]
struct Line<'a> {
    run: u64,
    #[serde(rename = "gpu")]
    lane: Option<usize>,
    #[serde(flatten)]
    measured: &'a Measured,
}

impl MetricsFile {
    /// Begins a file, which replaces one of that name. Its ending says in which format.
    ///
    /// # Errors
    /// If the ending is another one, or the file system refuses.
    pub(super) fn create(path: &Path) -> Result<Self, MonitorError> {
        let format = Format::of(path)?;
        let mut file = super::create(path)?;
        if let Format::Csv = format {
            csv_line(Sample::line_names())
                .and_then(|header| file.write_all(&header))
                .map_err(|error| MonitorError::io(path, error))?;
        }
        Ok(Self {
            file,
            path: path.to_owned(),
            format,
        })
    }

    /// Adds a line, and one a lane if there are several.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(super) fn write(&mut self, run: u64, sample: &Sample) -> Result<(), MonitorError> {
        // One call, so that nobody reads half a line.
        self.text(run, sample)
            .and_then(|text| self.file.write_all(&text))
            .map_err(|error| MonitorError::io(&self.path, error))
    }

    fn text(&self, run: u64, sample: &Sample) -> io::Result<Vec<u8>> {
        let lanes = match sample.lanes() {
            [_] => &[],
            several => several,
        };
        let lanes = lanes.iter().enumerate();
        let lanes = lanes.map(|(lane, measured)| (Some(lane), measured));
        let mut text = Vec::new();
        for (lane, measured) in [(None, sample.run())].into_iter().chain(lanes) {
            let line = Line {
                run,
                lane,
                measured,
            };
            text.extend(match self.format {
                Format::Csv => csv_line(cells(&line))?,
                Format::JsonLines => json_line(&line)?,
            });
        }
        Ok(text)
    }
}

fn json_line(line: &Line) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(line)?;
    line.push(b'\n');
    Ok(line)
}

fn csv_line(cells: impl IntoIterator<Item = impl AsRef<[u8]>>) -> io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(cells)?;
    writer.into_inner().map_err(|error| error.into_error())
}

/// The cells of a line; those of what was not measured are empty.
fn cells(line: &Line) -> Vec<String> {
    let cell = |metric: Metric| {
        let value = line.measured.get(metric);
        value.map_or_else(String::new, |value| metric.text(value))
    };
    let lane = line.lane.map_or_else(String::new, |lane| lane.to_string());
    let mut cells = vec![line.run.to_string(), lane];
    cells.extend(Metric::all().map(cell));
    cells.push(line.measured.throttle.to_string());
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::Throttle;

    fn sample() -> Sample {
        let mut sample = Sample::new(0.5);
        sample.set(Metric::Seconds, 1.25);
        sample.set(Metric::Tokens, 4096.0);
        sample.set(Metric::PackingFill, 0.998);
        let mut gpu = Measured::default();
        gpu.throttle.add(Throttle::POWER_CAP);
        sample.set_gpus(&[gpu]);
        sample
    }

    #[test]
    fn a_line_has_a_cell_for_each_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/run.csv");
        let mut file = MetricsFile::create(&path).unwrap();
        file.write(1, &sample()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let (header, line) = text.trim_end().split_once('\n').unwrap();
        let cell = |name: &str| {
            let place = header.split(',').position(|column| column == name);
            line.split(',').nth(place.unwrap()).unwrap()
        };
        assert_eq!(header.split(',').count(), line.split(',').count());
        assert_eq!((cell("run"), cell("gpu")), ("1", ""));
        assert_eq!(cell("seconds"), "1.250");
        assert_eq!(cell("tokens"), "4096");
        assert_eq!(cell("packing_fill"), "0.9980");
        assert_eq!(cell("gpu_power_watts"), "");
        assert_eq!(cell(Throttle::NAME), "power cap");
    }

    #[test]
    fn json_lines_say_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.jsonl");
        let mut file = MetricsFile::create(&path).unwrap();
        file.write(2, &sample()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let json: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!(json["run"], 2);
        assert!(json["gpu"].is_null());
        assert_eq!(json["tokens"], 4096);
        assert_eq!(json["packing_fill"], 0.998);
        assert!(json["gpu_power_watts"].is_null());
        assert_eq!(json[Throttle::NAME], "power cap");
    }

    #[test]
    fn lanes_have_lines_of_their_own_where_there_are_several() {
        let mut sample = sample();
        let lane = |tokens: f64| {
            let mut lane = Measured::default();
            lane.set(Metric::Tokens, tokens);
            lane
        };
        sample.set_lanes(vec![lane(4000.0), lane(96.0)]);
        let folder = tempfile::tempdir().unwrap();
        let written = |name: &str| {
            let path = folder.path().join(name);
            let mut file = MetricsFile::create(&path).unwrap();
            file.write(1, &sample).unwrap();
            std::fs::read_to_string(&path).unwrap()
        };
        let csv = written("run.csv");
        let place = |name| {
            Sample::line_names()
                .iter()
                .position(|n| *n == name)
                .unwrap()
        };
        let cells = ["run", "gpu", "tokens", "packing_fill"].map(place);
        let lines = csv.lines().skip(1).map(|line| {
            let line: Vec<_> = line.split(',').collect();
            assert_eq!(line.len(), Sample::line_names().len());
            cells.map(|place| line[place])
        });
        let expect = [
            ["1", "", "4096", "0.9980"],
            ["1", "0", "4000", ""],
            ["1", "1", "96", ""],
        ];
        assert_eq!(lines.collect::<Vec<_>>(), expect);
        let jsonl = written("run.jsonl");
        let lines = jsonl
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        let lines: Vec<serde_json::Value> = lines.collect();
        let gpus: Vec<_> = lines.iter().map(|line| line["gpu"].as_u64()).collect();
        assert_eq!(gpus, [None, Some(0), Some(1)]);
        assert_eq!(lines[2]["tokens"], 96);
        let n_keys = |line: &serde_json::Value| line.as_object().unwrap().len();
        assert_eq!(n_keys(&lines[0]), Sample::line_names().len());
        assert!(lines.iter().all(|line| n_keys(line) == n_keys(&lines[0])));
    }

    #[test]
    fn the_ending_decides() {
        let error = MetricsFile::create(Path::new("run.txt")).unwrap_err();
        assert!(
            error.to_string().contains("neither with .csv nor"),
            "{error}"
        );
    }
}
