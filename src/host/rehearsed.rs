//! The figures of a run that was only rehearsed: none is zero, so that scripts can divide by them.

use super::ModelInfo;
use crate::{
    job::{Dataset, EmbedPlan},
    meter::{Bottleneck, Measured, Metric, Sample, Severity, Stage, StageTime, Unit},
    model::{DeviceKind, usual_token_budget},
    report::{LengthHistogram, RunDetails, RunSummary},
};
use std::{num::NonZeroUsize, sync::Arc};

/// The figures of a run of one sequence. Those of a GPU are there if there would be one.
pub(super) fn summary(model: ModelInfo, is_on_gpu: bool, plan: &EmbedPlan) -> RunSummary {
    let options = plan.options();
    let made_up = RunSummary::made_up(is_on_gpu);
    let kind = match is_on_gpu {
        true => DeviceKind::Gpu,
        false if model.device == "mock" => DeviceKind::Mock,
        false => DeviceKind::Cpu,
    };
    let usual_budget = usual_token_budget(kind, model.hidden_size);
    let token_budget = options.token_budget.map_or(usual_budget, NonZeroUsize::get);
    RunSummary {
        // Hashes are no such operations.
        tflops: made_up.tflops.filter(|_| kind != DeviceKind::Mock),
        model: model.name,
        device: model.device,
        dtype: model.dtype,
        hidden_size: model.hidden_size,
        columns: plan.question().shapes(model.hidden_size),
        readers: options.readers.get(),
        prefetch: options.prefetch.get(),
        token_budget,
        packing_fill: made_up.tokens as f64 / token_budget as f64,
        output: options.output.clone(),
        // Scripts may look into it without asking whether there is one.
        bottleneck: Some(Bottleneck {
            stage: Stage::Encoding,
            severity: Severity::Good,
            message: "nothing was run".to_owned(),
            remedy: None,
        }),
        details: Arc::new(details(&made_up, is_on_gpu, plan.dataset())),
        ..made_up
    }
}

fn details(made_up: &RunSummary, is_on_gpu: bool, dataset: &Dataset) -> RunDetails {
    let mut lengths = LengthHistogram::default();
    lengths.add(made_up.residues as usize);
    let third = made_up.seconds / 3.0;
    let stage = StageTime {
        working: third,
        starved: third,
        blocked: third,
    };
    RunDetails {
        inputs: dataset.sources.join(", "),
        started: "2000-01-01T00:00:00Z".to_owned(),
        stages: [stage; 5],
        timeline: vec![sample(made_up.seconds, is_on_gpu)],
        lengths,
        ..RunDetails::default()
    }
}

/// A sample in which everything was measured that the device has.
fn sample(seconds: f64, is_on_gpu: bool) -> Sample {
    let mut sample = Sample::new(seconds);
    let mut lane = Measured::default();
    for metric in Metric::all() {
        let is_of_gpu = metric == Metric::Mfu || metric.name().starts_with("gpu_");
        if is_on_gpu || !is_of_gpu {
            let value = if metric.unit() == Unit::Share {
                0.5
            } else {
                1.0
            };
            sample.set(metric, value);
            if metric.is_of_lane() {
                lane.set(metric, value);
            }
        }
    }
    sample.set_lanes(vec![lane]);
    sample
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Lacks;
    use crate::{
        job::EmbedOptions,
        report::{self, FIGURES},
    };

    #[test]
    fn scripts_can_divide_by_every_figure() {
        let model = ModelInfo {
            name: "esm2".to_owned(),
            device: "cuda:0".to_owned(),
            dtype: "bf16".to_owned(),
            hidden_size: 160,
            n_layers: 6,
            n_parameters: 1,
            lacks: Lacks::default(),
        };
        let dataset = Dataset::new(vec!["a.fa".to_owned()]);
        let plan = EmbedPlan::new(dataset, EmbedOptions::default(), 6).unwrap();
        let run = summary(model, true, &plan);
        // Nobody divides by what there should be none of.
        let nothing = [
            "failed_lanes",
            "rejected",
            "resumed",
            "resumed_rejected",
            "truncated",
            "reader_restarts",
        ];
        for figure in FIGURES
            .iter()
            .filter(|figure| !nothing.contains(&figure.name))
        {
            let is_number = figure.unit != report::Unit::Text;
            assert!(
                !is_number || figure.number(&run) > Some(0.0),
                "{}",
                figure.name
            );
        }
    }
}
