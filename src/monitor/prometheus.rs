//! The latest sample as a file for Prometheus.

use super::{MonitorError, RunFacts};
use crate::{
    file::{self, Keep},
    meter::{Metric, Sample},
};
use std::path::{Path, PathBuf};

/// A file that always holds the latest sample, in the text format of Prometheus, for the textfile
/// collector of its node exporter.
#[derive(Debug)]
pub(super) struct PrometheusFile {
    path: PathBuf,
}

impl PrometheusFile {
    /// A file, still without a sample.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(super) fn create(path: &Path) -> Result<Self, MonitorError> {
        let file = Self {
            path: path.to_owned(),
        };
        file.replace("")?;
        Ok(file)
    }

    /// Replaces the sample, which is of a run with these facts.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(super) fn write(
        &self,
        run: u64,
        facts: &RunFacts,
        sample: &Sample,
    ) -> Result<(), MonitorError> {
        self.replace(&text(run, facts, sample))
    }

    /// Replaces the file as a whole: the collector may read at any moment.
    fn replace(&self, text: &str) -> Result<(), MonitorError> {
        Ok(file::replace(&self.path, text.as_bytes(), Keep::Briefly)?)
    }
}

/// A sample in the text format: first what is of the whole run, then what each lane has of its own, as gauges of
/// other names, so that a sum over a gauge counts nothing twice. What was not measured is left out. The gauges of
/// one shard differ from those of the others on the same machine by a label.
fn text(run: u64, facts: &RunFacts, sample: &Sample) -> String {
    let mut text = String::new();
    let shard = facts.shard.map(|shard| format!(",shard=\"{shard}\""));
    let of_run = format!("run=\"{run}\"{}", shard.unwrap_or_default());
    for metric in Metric::all() {
        let value = sample.get(metric);
        let values = value.map(|value| (of_run.clone(), value));
        add_gauge(&mut text, "", metric, values);
    }
    let labels: Vec<String> = (facts.lanes.iter())
        .enumerate()
        .map(|(lane, facts)| {
            let uuid = facts.gpu.as_ref().map_or("", |gpu| &gpu.uuid);
            let (device, uuid) = (escaped(&facts.device), escaped(uuid));
            format!("{of_run},gpu=\"{lane}\",device=\"{device}\",uuid=\"{uuid}\"")
        })
        .collect();
    for metric in Metric::all().filter(|metric| metric.is_of_lane()) {
        let lanes = labels.iter().zip(sample.lanes());
        let values = lanes.filter_map(|(labels, lane)| Some((labels.clone(), lane.get(metric)?)));
        add_gauge(&mut text, "lane_", metric, values);
    }
    text
}

/// Adds a gauge: what it means once, and a line for each value with its labels. Without a value there is none.
fn add_gauge(
    text: &mut String,
    prefix: &str,
    metric: Metric,
    values: impl IntoIterator<Item = (String, f64)>,
) {
    let name = format!("runner_{prefix}{}", metric.name());
    let lines: Vec<String> = values
        .into_iter()
        .map(|(labels, value)| format!("{name}{{{labels}}} {}\n", metric.text(value)))
        .collect();
    if !lines.is_empty() {
        let help = metric.meaning();
        *text += &format!("# HELP {name} {help}\n# TYPE {name} gauge\n");
        text.extend(lines);
    }
}

/// A label's value, in which quotes, backslashes and line breaks mean something.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        job::Shard,
        meter::Measured,
        monitor::{
            LaneFacts,
            verdict::tests::{facts, gpu_lane},
        },
    };

    #[test]
    fn the_file_holds_the_latest_sample() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runner.prom");
        let file = PrometheusFile::create(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
        for tokens in [1.0, 2.0] {
            let mut sample = Sample::new(1.0);
            sample.set(Metric::Tokens, tokens);
            file.write(3, &facts(), &sample).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "# HELP runner_tokens tokens embedded, BOS and EOS included\n\
             # TYPE runner_tokens gauge\nrunner_tokens{run=\"3\"} 2\n"
        );
        let n_files = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(n_files, 1, "no temporary file stays");
    }

    #[test]
    fn each_lane_has_lines_with_its_labels() {
        let lane = |tokens: f64| {
            let mut lane = Measured::default();
            lane.set(Metric::Tokens, tokens);
            lane.set(Metric::Records, 1.0);
            lane
        };
        let mut sample = Sample::new(1.0);
        sample.set(Metric::Tokens, 12.0);
        sample.set_lanes(vec![lane(5.0), lane(7.0)]);
        let gpu = LaneFacts {
            device: "a \"quoted\" \\ name".to_owned(),
            ..gpu_lane(None)
        };
        let mock = LaneFacts {
            device: "mock".to_owned(),
            ..LaneFacts::default()
        };
        let help = "tokens embedded, BOS and EOS included";
        let expect = format!(
            "# HELP runner_tokens {help}\n# TYPE runner_tokens gauge\nrunner_tokens{{run=\"3\"}} 12\n\
             # HELP runner_lane_tokens {help}\n# TYPE runner_lane_tokens gauge\n\
             runner_lane_tokens{{run=\"3\",gpu=\"0\",device=\"a \\\"quoted\\\" \\\\ name\",uuid=\"GPU-0\"}} 5\n\
             runner_lane_tokens{{run=\"3\",gpu=\"1\",device=\"mock\",uuid=\"\"}} 7\n"
        );
        let facts = RunFacts {
            lanes: vec![gpu, mock],
            ..facts()
        };
        assert_eq!(text(3, &facts, &sample), expect);
        let shard = RunFacts {
            shard: "3/16".parse::<Shard>().ok(),
            ..facts
        };
        let expect = expect.replace("run=\"3\"", "run=\"3\",shard=\"3/16\"");
        assert_eq!(text(3, &shard, &sample), expect);
    }
}
