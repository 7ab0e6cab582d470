//! What a run measured.

use super::{
    bottleneck::ScriptBottleneck as Bottleneck, closures::sample_map, figures::value,
    run::ScriptRun as Run,
};
use crate::{
    meter::{Stage, StageTime},
    report::{LANE_FIGURES, LaneSummary},
};
use rhai::{Array, Map, plugin::*};

#[export_module]
pub(super) mod watching_api {
    use super::*;

    /// Returns what held the run back, or `()` if it had too few batches to tell.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let run = embed(esm2("models/esm2"), fasta("proteins.fa"));
    /// print(run.bottleneck);
    /// ```
    #[rhai_fn(get = "bottleneck", pure)]
    pub fn bottleneck(run: &mut Run) -> Dynamic {
        let found = run.summary().bottleneck.clone();
        found.map_or(Dynamic::UNIT, |found| Dynamic::from(Bottleneck::new(found)))
    }

    /// Returns where the time of each stage went: a map with `reading`, `packing`, `encoding`,
    /// `collecting` and `writing`, each a map with the seconds that the stage was `working`, `starved`
    /// (it waited for input) and `blocked` (it waited for room). They add up to the stage's whole
    /// time. Readers are added up.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let run = embed(esm2("models/esm2"), fasta("proteins.fa"));
    /// print(`packing waited ${run.stages.packing.starved} s for records`);
    /// ```
    #[rhai_fn(get = "stages", pure)]
    pub fn stages(run: &mut Run) -> Map {
        let times = run.summary().details.stages;
        let entry = |(stage, time): (Stage, StageTime)| {
            let mut map = Map::new();
            map.insert("working".into(), time.working.into());
            map.insert("starved".into(), time.starved.into());
            map.insert("blocked".into(), time.blocked.into());
            (stage.name().into(), Dynamic::from_map(map))
        };
        Stage::ALL.into_iter().zip(times).map(entry).collect()
    }

    /// Returns the figures of each lane, which is a device with the threads that keep it busy: a map for each, with
    /// `device`, `state` (`failed` if the others went on without it), `token_share`, `tokens_per_sec`,
    /// `encoder_idle` and what NVML tells of its GPU, all of which docs/figures.md lists.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let run = embed(esm2("models/esm2"), fasta("proteins.fa"));
    /// for lane in run.lanes { print(`${lane.device}: ${lane.tokens_per_sec} tokens/s`); }
    /// ```
    #[rhai_fn(get = "lanes", pure)]
    pub fn lanes(run: &mut Run) -> Array {
        let map = |lane: &LaneSummary| -> Map {
            let figures = LANE_FIGURES.iter();
            figures
                .map(|figure| (figure.name.into(), value(figure, lane)))
                .collect()
        };
        let lanes = run.summary().lanes.iter();
        lanes.map(|lane| map(lane).into()).collect()
    }

    /// Returns what was measured while the run went on, each sample as a map as `on_sample` gets it.
    /// There are 600 at most: long runs have longer intervals.
    ///
    /// # Example
    ///
    /// ```rhai
    /// let run = embed(esm2("models/esm2"), fasta("proteins.fa"));
    /// for sample in run.samples { print(`${sample.seconds} s: ${sample.tokens_per_sec} tokens/s`); }
    /// ```
    #[rhai_fn(get = "samples", pure)]
    pub fn samples(run: &mut Run) -> Array {
        let samples = run.summary().details.timeline.iter();
        samples.map(|sample| sample_map(sample).into()).collect()
    }
}
