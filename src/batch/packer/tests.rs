//! What holds for every input: nothing lost, nothing over budget, nothing too far from its place.

use super::*;
use crate::{alphabet::encode, batch::Row, hint::Hint};
use proptest::prelude::*;

/// Residues of every kind, so that tokens of different records differ.
const RESIDUES: &[u8] = b"LAGVSERTIDPKQNFYMHWCXBUZO.-J*";

/// Record number `index` with `n_residues` residues, the same whenever it is asked for.
fn record(index: usize, n_residues: usize) -> Record {
    Record {
        id: format!("p{index}"),
        description: format!("number {index}"),
        sequence: (0..n_residues)
            .map(|position| RESIDUES[(index * 7 + position) % RESIDUES.len()])
            .collect(),
        length: (n_residues + index % 3) as u32,
        piece: None,
    }
}

fn records(lengths: &[usize]) -> Vec<Record> {
    let numbered = lengths.iter().enumerate();
    numbered.map(|(index, &n)| record(index, n)).collect()
}

fn pack(token_budget: usize, lengths: &[usize]) -> Vec<PackedBatch> {
    pack_with(Packer::new, token_budget, lengths)
}

fn pack_with(
    packer: fn(NonZeroUsize) -> Packer,
    token_budget: usize,
    lengths: &[usize],
) -> Vec<PackedBatch> {
    let mut packer = packer(NonZeroUsize::new(token_budget).unwrap());
    let mut batches = Vec::new();
    for record in records(lengths) {
        batches.extend(packer.push(record).unwrap());
    }
    batches.extend(packer.finish());
    assert_eq!(packer.waiting.len(), 0);
    batches
}

/// Tokens over budget, over all batches.
fn fill(batches: &[PackedBatch]) -> f64 {
    let n_tokens: usize = batches.iter().map(PackedBatch::n_tokens).sum();
    let n_budget: usize = batches.iter().map(|batch| batch.token_budget).sum();
    n_tokens as f64 / n_budget as f64
}

/// Lengths of many proteins, distributed as in UniProt: log-normal, a mean of 340, cut at 1,022.
fn protein_lengths(n: usize) -> Vec<usize> {
    let mut state = 1u64;
    let mut uniform = move || {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) as f64 + 1.0) / (u64::MAX as f64 + 2.0)
    };
    let mut length = || {
        let normal = (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos();
        (290f64.ln() + 0.62 * normal).exp().clamp(1.0, 1022.0) as usize
    };
    (0..n).map(|_| length()).collect()
}

/// Budgets from tiny to larger than a window of records, and lengths that fit them.
fn budget_and_lengths() -> impl Strategy<Value = (usize, Vec<usize>)> {
    (3usize..400).prop_flat_map(|token_budget| {
        let any_length = 0..=token_budget - N_SPECIAL_TOKENS;
        let short = 0..=(token_budget / 20);
        let length = prop_oneof![any_length, short];
        (Just(token_budget), prop::collection::vec(length, 0..600))
    })
}

proptest! {
    #[test]
    fn nothing_is_lost_and_nothing_overflows(
        (token_budget, lengths) in budget_and_lengths(), in_order in any::<bool>(),
    ) {
        let records = records(&lengths);
        let mut is_out = vec![false; records.len()];
        let packer = if in_order { Packer::in_order } else { Packer::new };
        let mut next = 0;
        for batch in pack_with(packer, token_budget, &lengths) {
            prop_assert!(!batch.rows.is_empty());
            prop_assert_eq!(batch.token_budget, token_budget);
            prop_assert!(batch.n_tokens() <= token_budget);
            prop_assert_eq!(batch.cu_seqlens.len(), batch.rows.len() + 1);
            prop_assert_eq!(batch.cu_seqlens[0], 0);
            prop_assert_eq!(batch.cu_seqlens[batch.rows.len()] as usize, batch.n_tokens());
            let longest = batch.ranges().map(|range| range.len()).max();
            prop_assert_eq!(Some(batch.max_seqlen), longest);
            prop_assert!(batch.rows.is_sorted_by_key(|row| row.index));
            for (row, range) in batch.rows.iter().zip(batch.ranges()) {
                let index = row.index as usize;
                prop_assert!(!is_out[index], "record {} came twice", index);
                is_out[index] = true;
                prop_assert!(!in_order || index == next);
                next += 1;
                let record = &records[index];
                let mut tokens = Vec::new();
                encode(&record.sequence, &mut tokens);
                prop_assert_eq!(&batch.input_ids[range], &tokens[..]);
                prop_assert_eq!(row, &Row {
                    index: row.index,
                    id: record.id.clone(),
                    description: record.description.clone(),
                    length: record.length,
                    truncated: record.is_truncated(),
                    piece: None,
                    sequence: record.sequence.clone(),
                });
            }
        }
        prop_assert!(is_out.into_iter().all(|is_out| is_out));
    }

    #[test]
    fn the_reorder_bound_holds((token_budget, lengths) in budget_and_lengths()) {
        let mut packer = Packer::new(NonZeroUsize::new(token_budget).unwrap());
        let mut n_tokens_until = Vec::new();
        let mut n_tokens = 0;
        for record in records(&lengths) {
            n_tokens += super::n_tokens(&record);
            n_tokens_until.push(n_tokens);
            let batches = packer.push(record).unwrap();
            for row in batches.iter().flat_map(|batch| &batch.rows) {
                let later = n_tokens - n_tokens_until[row.index as usize];
                prop_assert!(later <= MAX_REORDER_BUDGETS * token_budget);
            }
        }
    }

    #[test]
    fn a_batch_depends_on_nothing_that_comes_after_its_window(
        (token_budget, lengths) in budget_and_lengths(), cut in 0usize..600,
    ) {
        let whole = pack(token_budget, &lengths);
        let mut packer = Packer::new(NonZeroUsize::new(token_budget).unwrap());
        let mut early = Vec::new();
        for record in records(&lengths[..cut.min(lengths.len())]) {
            early.extend(packer.push(record).unwrap());
        }
        prop_assert_eq!(&early[..], &whole[..early.len()]);
    }

    #[test]
    fn of_batches_that_come_together_those_with_earlier_rows_are_first(
        (token_budget, lengths) in budget_and_lengths(),
    ) {
        let mut packer = Packer::new(NonZeroUsize::new(token_budget).unwrap());
        let mut batches: Vec<_> = records(&lengths)
            .into_iter()
            .map(|record| packer.push(record).unwrap())
            .collect();
        batches.push(packer.finish());
        for together in batches {
            prop_assert!(together.is_sorted_by_key(|batch| batch.rows[0].index));
        }
    }

    #[test]
    fn what_comes_out_before_a_stop_has_no_gap(
        (token_budget, lengths) in budget_and_lengths(), cut in 0usize..600,
    ) {
        let mut packer = Packer::new(NonZeroUsize::new(token_budget).unwrap());
        let mut batches = Vec::new();
        for record in records(&lengths[..cut.min(lengths.len())]) {
            batches.extend(packer.push(record).unwrap());
        }
        let indices = |batches: &[PackedBatch]| -> Vec<_> {
            let rows = batches.iter().flat_map(|batch| &batch.rows);
            rows.map(|row| row.index).collect()
        };
        let largest = indices(&batches).into_iter().max();
        let (n_waiting, due) = (packer.n_waiting(), packer.due());
        prop_assert!(indices(&due).len() <= n_waiting);
        prop_assert_eq!(packer.n_waiting(), 0);
        batches.extend(due);
        let mut out = indices(&batches);
        out.sort_unstable();
        let without_gap: Vec<_> = (0..largest.map_or(0, |largest| largest + 1)).collect();
        prop_assert_eq!(out, without_gap);
    }
}

#[test]
fn batches_are_nearly_full() {
    let check = |token_budget: usize, lengths: &[usize], least_fill: f64| {
        let fill = fill(&pack(token_budget, lengths));
        assert!(fill >= least_fill, "{token_budget}: {fill}");
    };
    let proteins = protein_lengths(20_000);
    let mean = proteins.iter().sum::<usize>() / proteins.len();
    assert!((330..350).contains(&mean), "{mean}");
    check(4_096, &proteins, 0.97);
    check(32_768, &proteins, 0.99);
    check(131_072, &proteins, 0.96);
    let peptides: Vec<_> = (0..100_000).map(|index| 5 + index % 45).collect();
    check(32_768, &peptides, 0.98);
    // What it costs to do without windows, with the budget of the CPU.
    let in_order = fill(&pack_with(Packer::in_order, 4_096, &proteins));
    assert!((0.9..0.97).contains(&in_order), "{in_order}");
}

#[test]
fn windows_of_short_records_are_small() {
    // At two tokens a record, eight budgets would be 131,072 records out of order.
    let mut packer = Packer::new(NonZeroUsize::new(32_768).unwrap());
    let mut most_waiting = 0;
    for index in 0..200_000 {
        packer.push(record(index, 0)).unwrap();
        most_waiting = most_waiting.max(packer.waiting.len());
    }
    assert_eq!(most_waiting, 2 * 32_768 / N_SPECIAL_TOKENS - 1);
}

#[test]
fn what_waited_long_enough_leaves() {
    // Each window is eight records that fill a bin each and a short one that fits nowhere and is
    // carried, until it may be carried no more.
    let token_budget = 10;
    let mut packer = Packer::new(NonZeroUsize::new(token_budget).unwrap());
    packer.push(record(0, 1)).unwrap();
    let mut n_batches_before = 0;
    for index in 1.. {
        let batches = packer
            .push(record(index, token_budget - N_SPECIAL_TOKENS))
            .unwrap();
        if batches.iter().any(|batch| batch.rows[0].index == 0) {
            break;
        }
        n_batches_before += batches.len();
    }
    assert_eq!(n_batches_before, usize::from(MAX_CARRIES) * WINDOW_BUDGETS);
}

#[test]
fn a_record_over_budget_is_refused_with_the_remedy() {
    let mut packer = Packer::new(NonZeroUsize::new(100).unwrap());
    packer.push(record(0, 98)).unwrap();
    let error = packer.push(record(1, 99)).unwrap_err();
    let expected = "record 2 (`p1`) needs 101 tokens, two more than its residues, and token_budget \
                    is 100 (raise `token_budget` to 101 or more, or embed only the first residues \
                    with `long_sequences(\"truncate\", 98)`)";
    assert_eq!(error.in_full(), expected);
    // The record was not taken in: the next one gets its index.
    packer.push(record(2, 1)).unwrap();
    let indices = |batch: &PackedBatch| batch.rows.iter().map(|row| row.index).collect::<Vec<_>>();
    let batches = packer.finish();
    assert_eq!(batches.iter().map(indices).collect::<Vec<_>>(), [[0], [1]]);
    assert_eq!(batches[1].rows[0].id, "p2");
}
