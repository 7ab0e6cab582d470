//! Dividing inputs into work units, one at a time, so that a huge input costs no memory.

use super::{
    blocks::Blocks,
    compression::Compression,
    error::Fault,
    input::{Input, InputKind},
    position::{Offset, Position},
    share::Share,
    unit::{Extent, Unit},
};

/// The work units of some inputs, in input order. Each input has at least one.
pub struct Units {
    inputs: std::iter::Enumerate<std::vec::IntoIter<Input>>,
    /// Where the input begins that comes next.
    from: Offset,
    unit_bytes: u64,
    /// Of what units are wanted, if not of all.
    share: Option<Share>,
    current: Option<Division>,
}

/// An input that cannot be divided any further, because it is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanFault {
    /// Index of the input, from 0.
    pub input: usize,
    /// What is wrong with it.
    pub fault: Fault,
}

/// An input that is being divided.
enum Division {
    Plain {
        number: usize,
        input: Input,
        start: u64,
        end: u64,
    },
    Bgzip {
        number: usize,
        input: Input,
        blocks: Blocks,
    },
}

impl Units {
    /// Bytes of text in a unit: enough that asking for the next one costs nothing, few enough that
    /// small files keep several readers busy.
    pub const UNIT_BYTES: u64 = 2 << 20;

    /// The units of `inputs`, each of about `unit_bytes` bytes of text.
    pub fn new(inputs: Vec<Input>, unit_bytes: u64) -> Self {
        Self {
            inputs: inputs.into_iter().enumerate(),
            from: Offset::Beginning,
            unit_bytes: unit_bytes.max(1),
            share: None,
            current: None,
        }
    }

    /// Those of them that are in `share`, of which the first and the last one end where that does.
    pub fn within(mut self, share: &Share) -> Self {
        let mut inputs: Vec<_> = self.inputs.map(|(_, input)| input).collect();
        inputs.truncate(share.end_input());
        self.inputs = inputs.into_iter().enumerate();
        self.share = Some(share.clone());
        self
    }

    /// The same units from `position` on: the first of them begins where `position` counts records
    /// from. Nothing before is opened.
    pub fn starting_at(mut self, position: &Position) -> Self {
        if let Some(last_before) = position.input.checked_sub(1) {
            self.inputs.nth(last_before);
        }
        self.from = position.from.clone();
        self
    }

    /// Begins with an input: gives its only unit, or what divides it.
    fn begin(&mut self, number: usize, input: Input) -> Result<Option<Unit>, Fault> {
        let from = std::mem::replace(&mut self.from, Offset::Beginning);
        let is_behind_end = |place| input.size_bytes().is_none_or(|size| place >= size);
        let share = self.share.as_ref();
        let begins_at = share.map_or(0, |share| share.begins_at(number));
        let ends_at = share.and_then(|share| share.ends_at(number));
        match (input.kind, from) {
            (
                InputKind::File {
                    identity,
                    compression: Compression::None,
                },
                from @ (Offset::Beginning | Offset::Plain { .. }),
            ) => {
                let start = from.disk_bytes().max(begins_at);
                if start > 0 && is_behind_end(start) {
                    return Err(moved(start));
                }
                let end = ends_at.unwrap_or_else(|| identity.size_bytes());
                // An empty file has one unit too, so that it is counted and warned about.
                if start < end || (start == 0 && ends_at.is_none()) {
                    self.current = Some(Division::Plain {
                        number,
                        input,
                        start,
                        end,
                    });
                }
                Ok(None)
            }
            (
                InputKind::File {
                    identity,
                    compression: Compression::Bgzip,
                },
                from @ (Offset::Beginning | Offset::Bgzip { .. }),
            ) => {
                let mut blocks = Blocks::open(input.path.clone(), identity)?;
                match from {
                    Offset::Bgzip { block, .. } if is_behind_end(block) => {
                        return Err(moved(block));
                    }
                    Offset::Bgzip { block, text } => blocks.enter(block, text),
                    _ if begins_at > 0 => blocks.enter_behind(begins_at)?,
                    _ => {}
                }
                if let Some(byte) = ends_at {
                    blocks.end_before(byte)?;
                }
                if !blocks.has_none() {
                    self.current = Some(Division::Bgzip {
                        number,
                        input,
                        blocks,
                    });
                }
                Ok(None)
            }
            (_, Offset::Plain { byte: place } | Offset::Bgzip { block: place, .. }) => {
                Err(moved(place))
            }
            (_, Offset::Beginning) => {
                let disk_bytes = input.size_bytes().unwrap_or(0);
                let extent = match (begins_at, ends_at) {
                    (0, None) => Extent::Whole,
                    (from, to) => Extent::Portion {
                        from,
                        to: to.unwrap_or(u64::MAX),
                    },
                };
                let disk_bytes = ends_at.unwrap_or(disk_bytes) - begins_at;
                Ok(Some(Unit::new(number, &input, extent, disk_bytes)))
            }
        }
    }

    /// Ends the planning with a fault.
    fn fail(&mut self, input: usize, fault: Fault) -> Option<Result<Unit, PlanFault>> {
        self.current = None;
        self.inputs = Vec::new().into_iter().enumerate();
        Some(Err(PlanFault { input, fault }))
    }
}

impl Iterator for Units {
    type Item = Result<Unit, PlanFault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(division) = &mut self.current else {
                let (number, input) = self.inputs.next()?;
                match self.begin(number, input) {
                    Ok(Some(unit)) => return Some(Ok(unit)),
                    Ok(None) => continue,
                    Err(fault) => return self.fail(number, fault),
                }
            };
            let (number, input, extent, disk_bytes) = match division {
                Division::Plain {
                    number,
                    input,
                    start,
                    end: last,
                } => {
                    if *start >= *last && *start > 0 {
                        self.current = None;
                        continue;
                    }
                    let from = *start;
                    let end = from.saturating_add(self.unit_bytes).min(*last);
                    *start = end.max(1);
                    let extent = Extent::Plain { start: from, end };
                    (*number, &*input, extent, end - from)
                }
                Division::Bgzip {
                    number,
                    input,
                    blocks,
                } => match blocks.advance(self.unit_bytes) {
                    Ok(Some(
                        extent @ Extent::Bgzip {
                            block, next_block, ..
                        },
                    )) => (*number, &*input, extent, next_block - block),
                    Ok(_) => {
                        self.current = None;
                        continue;
                    }
                    Err(fault) => {
                        let number = *number;
                        return self.fail(number, fault);
                    }
                },
            };
            return Some(Ok(Unit::new(number, input, extent, disk_bytes)));
        }
    }
}

/// A position that is none of the file.
fn moved(place: u64) -> Fault {
    Fault::of_file(
        format!(
            "is not the file of which a part was read before: reading cannot go on at byte {place}"
        ),
        "put that file in its place, or begin anew",
    )
}
