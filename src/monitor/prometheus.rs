//! The latest sample as a file for Prometheus.

use super::MonitorError;
use crate::{
    file::{self, Keep},
    meter::{Metric, Sample},
};
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

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

    /// Replaces the sample.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(super) fn write(&self, run: u64, sample: &Sample) -> Result<(), MonitorError> {
        self.replace(&text(run, sample))
    }

    /// Replaces the file as a whole: the collector may read at any moment.
    fn replace(&self, text: &str) -> Result<(), MonitorError> {
        Ok(file::replace(&self.path, text.as_bytes(), Keep::Briefly)?)
    }
}

/// A sample in the text format. What was not measured is left out.
fn text(run: u64, sample: &Sample) -> String {
    let mut text = String::new();
    for metric in Metric::all() {
        let Some(value) = sample.get(metric) else {
            continue;
        };
        let (name, help) = (metric.name(), metric.meaning());
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "# HELP runner_{name} {help}\n# TYPE runner_{name} gauge\n\
             runner_{name}{{run=\"{run}\"}} {}",
            metric.text(value)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_holds_the_latest_sample() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runner.prom");
        let file = PrometheusFile::create(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
        for tokens in [1.0, 2.0] {
            let mut sample = Sample::new(1.0);
            sample.set(Metric::Tokens, tokens);
            file.write(3, &sample).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "# HELP runner_tokens tokens embedded, BOS and EOS included\n\
             # TYPE runner_tokens gauge\nrunner_tokens{run=\"3\"} 2\n"
        );
        let n_files = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(n_files, 1, "no temporary file stays");
    }
}
