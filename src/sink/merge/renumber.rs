//! Lists of rejected records, with the numbers that the records have in the whole input.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
    path::Path,
};

/// Copies a list whose records are counted from the one behind the first `base`.
///
/// # Errors
/// If the file system refuses, or a line does not begin with a number.
pub(super) fn copy(from: &Path, base: u64, to: &mut impl Write) -> io::Result<()> {
    let mut list = BufReader::new(File::open(from)?);
    let mut line = Vec::new();
    while list.read_until(b'\n', &mut line)? > 0 {
        let end = line.iter().position(|byte| *byte == b'\t');
        let (number, rest) = line.split_at(end.unwrap_or(0));
        let number = str::from_utf8(number).ok();
        let number: u64 = number
            .and_then(|number| number.parse().ok())
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a line has no number"))?;
        write!(to, "{}", base + number)?;
        to.write_all(rest)?;
        line.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {

    #[test]
    fn only_the_numbers_change() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let copied = |text: &str, base| {
            std::fs::write(file.path(), text).unwrap();
            let mut copy = Vec::new();
            super::copy(file.path(), base, &mut copy).map(|()| String::from_utf8(copy).unwrap())
        };
        let list = "2\tp2\t3 residues\n10\ta\\tb\tx\u{fffd}\n";
        assert_eq!(copied(list, 0).unwrap(), list);
        assert_eq!(
            copied(list, 990).unwrap(),
            "992\tp2\t3 residues\n1000\ta\\tb\tx\u{fffd}\n"
        );
        assert_eq!(copied("", 7).unwrap(), "");
        assert!(copied("no number\n", 7).is_err());
    }
}
