//! What is done for a part that there is no room for: what fits of it is committed.

use super::{
    Frontier, OutputPlan, Shorten, SinkError, Spare,
    books::Books,
    open_part::{OpenPart, WrittenPart},
    tail::Tail,
};
use crate::file::Staged;

/// Parts that the rows in memory become at most. Each has half of what did not fit, so that what is lost of
/// them has hardly more room than a sixteenth of them takes.
const MOST_PIECES: usize = 4;

/// What is known of an output to rescue a part of it.
pub(super) struct Rescue {
    pub(super) plan: OutputPlan,
    /// Known from the start of a part.
    pub(super) metadata: Vec<(String, String)>,
}

impl Rescue {
    /// Commits what there is room for of a part that begins here. Why that is necessary is the error to be
    /// told; what goes wrong here costs rows that would be lost anyway. If what is in the file did not reach the
    /// disk, only rows that are in memory can be rescued, and only if none before them is in the file alone.
    pub(super) fn run(
        &self,
        books: &mut Books,
        part: WrittenPart,
        from: Frontier,
        is_on_disk: bool,
    ) {
        let WrittenPart {
            staged,
            shorter,
            mut tail,
            ..
        } = part;
        let reached = match tail.ends().last() {
            Some(_) if !is_on_disk => None,
            Some(last) => {
                let reached = shorten(&self.metadata, books, staged, &*shorter, &tail, &from);
                reached.filter(|reached| reached == last)
            }
            None => {
                // What is written again needs its room.
                drop(staged);
                Some(from)
            }
        };
        if let Some(from) = reached {
            self.write_again(books, &mut tail, from);
        }
    }

    /// Writes the rows that are in memory, as many as fit, into parts of their own.
    fn write_again(&self, books: &mut Books, tail: &mut Tail, mut from: Frontier) {
        let mut n_rows = tail.n_rows();
        let mut n_pieces = 0;
        while n_rows > 0 && n_pieces < MOST_PIECES {
            if let Ok(Some(to)) = self.write_piece(books, tail, n_rows, &from) {
                tail.drop_first(n_rows);
                from = to;
                n_pieces += 1;
            }
            n_rows = (n_rows / 2).min(tail.n_rows());
        }
    }

    /// Commits the first rows that are in memory, and says where they end.
    fn write_piece(
        &self,
        books: &mut Books,
        tail: &Tail,
        n_rows: usize,
        from: &Frontier,
    ) -> Result<Option<Frontier>, SinkError> {
        let Some(to) = tail.behind(n_rows) else {
            return Ok(None);
        };
        let (place, spare) = (books.place(), Spare::default());
        let mut part = OpenPart::begin(&self.plan, place, &self.metadata, from, &spare)?;
        for rows in tail.first(n_rows) {
            part.write_again(rows)?;
        }
        let (mut part, written) = part.end(&[])?;
        let written = written?;
        part.settle()?;
        let secured = books.secure(Some((&part.staged, &written)), from, to)?;
        books.enter(Some(part.staged), secured)?;
        Ok(Some(to.clone()))
    }
}

/// Ends a part at the last place where it can be ended and there is room for all that belongs to it: what
/// is cut off makes room. Gives that place.
fn shorten(
    metadata: &[(String, String)],
    books: &mut Books,
    staged: Staged,
    shorter: &dyn Shorten,
    tail: &Tail,
    from: &Frontier,
) -> Option<Frontier> {
    let mut secure = |to: &Frontier| {
        let n_rows = to.tally.rows - from.tally.rows;
        let written = shorter.end_at(n_rows, &staged.writer()?, metadata)?;
        books.secure(Some((&staged, &written)), from, to)
    };
    let mut ends = tail.ends().iter().rev();
    let (to, secured) = ends.find_map(|to| Some((to, secure(to).ok()?)))?;
    books.enter(Some(staged), secured).ok()?;
    Some(to.clone())
}
