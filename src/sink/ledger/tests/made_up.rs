//! Entries that are made up.

use super::*;

pub(super) fn map() -> impl Strategy<Value = std::collections::BTreeMap<String, String>> {
    proptest::collection::btree_map(TEXT, TEXT, 0..3)
}

pub(super) fn seconds() -> impl Strategy<Value = f64> {
    (0_u32..100_000_000).prop_map(|milliseconds| f64::from(milliseconds) / 1000.0)
}

pub(super) fn part() -> impl Strategy<Value = Option<PartFile>> {
    let part = (TEXT, any::<u64>(), TEXT).prop_map(|(name, bytes, blake3)| PartFile {
        name,
        bytes,
        blake3,
    });
    proptest::option::of(part)
}

pub(super) fn position() -> impl Strategy<Value = Option<Position>> {
    let from = prop_oneof![
        Just(Offset::Beginning),
        any::<u64>().prop_map(|byte| Offset::Plain { byte }),
        any::<(u64, u64)>().prop_map(|(block, text)| Offset::Bgzip { block, text }),
    ];
    let position = (from, any::<u64>()).prop_map(|(from, n_records)| Position {
        from,
        n_records,
        ..Position::beginning_of(3)
    });
    proptest::option::of(position)
}

pub(super) fn any_commit() -> impl Strategy<Value = Commit> {
    let numbers = (0_u64..60, 1_u64..20, any::<[u32; 3]>(), seconds());
    let texts = (TEXT, TEXT, proptest::option::of(TEXT));
    (numbers, texts, part(), part(), position()).prop_map(
        |((from, n_records, [rows, residues, tokens], seconds), texts, file, rejects, next)| {
            let (before, hash, inputs) = texts;
            Commit {
                rows: rows.into(),
                residues: residues.into(),
                tokens: tokens.into(),
                before,
                hash,
                file,
                rejects,
                next,
                inputs,
                seconds,
                ..commit(from, from + n_records)
            }
        },
    )
}

pub(super) fn any_entry() -> impl Strategy<Value = Entry> {
    let stretch = (TEXT, any::<u32>(), map(), any::<u64>(), seconds()).prop_map(
        |(device, pid, settings, lost_rows, lost_seconds)| Stretch {
            at: "2026-01-01T00:00:00Z".to_owned(),
            host: "host".to_owned(),
            pid,
            device,
            settings,
            lost_rows,
            lost_seconds,
        },
    );
    let end = (0_u64..90, TEXT).prop_map(|(records, hash)| End {
        records,
        rows: records,
        rejected: 0,
        hash,
        chains: Vec::new(),
        first: None,
        next: None,
        inputs: None,
        at: "2026-01-01T00:00:00Z".to_owned(),
    });
    prop_oneof![
        1 => stretch.prop_map(Entry::Stretch),
        6 => any_commit().prop_map(Entry::Commit),
        1 => end.prop_map(Entry::End),
    ]
}

pub(super) fn any_entries() -> impl Strategy<Value = Vec<Entry>> {
    let header = (map(), map()).prop_map(|(identity, settings)| {
        Entry::Header(Header {
            identity,
            settings,
            ..header()
        })
    });
    let rest = proptest::collection::vec(any_entry(), 0..10);
    (header, rest).prop_map(|(header, rest)| std::iter::once(header).chain(rest).collect())
}

/// The history of entries, by the plainest means.
pub(super) fn expected(entries: &[Entry]) -> Option<History> {
    let mut history: Option<History> = None;
    for entry in entries {
        match (entry, &mut history) {
            (Entry::Header(header), None) => {
                history = Some(History {
                    header: header.clone(),
                    stretches: Vec::new(),
                    commits: Vec::new(),
                    end: None,
                    done: Vec::new(),
                    damaged_lines: 0,
                });
            }
            (Entry::Stretch(stretch), Some(history)) => {
                history.stretches.push(stretch.clone());
                history.done.push(Done::default());
            }
            (Entry::Commit(commit), Some(history)) => {
                if let Some(done) = history.done.last_mut() {
                    done.rows += commit.rows;
                    done.seconds += commit.seconds;
                }
                history
                    .commits
                    .retain(|old| old.to <= commit.from || commit.to <= old.from);
                history.commits.push(commit.clone());
                history.commits.sort_by_key(|commit| commit.from);
                if history
                    .end
                    .as_ref()
                    .is_some_and(|end| end.records < commit.to)
                {
                    history.end = None;
                }
            }
            (Entry::End(end), Some(history)) => history.end = Some(end.clone()),
            _ => unreachable!("a header is first, and there is one"),
        }
    }
    history
}
