//! A picture of the contacts of a sequence: one file of SVG, which shows the same wherever it is opened.

use super::{ReportError, svg::round_step};
use crate::{
    file::{self, Keep},
    job::ContactPairs,
    paths::CONTACT_MAP_MARK,
    text::{counted, shortened},
};
use std::{fmt::Write as _, path::Path};

/// The side of the map in the picture's units, and what is around it.
const SIDE: f64 = 600.0;
const LEFT: f64 = 64.0;
const TOP: f64 = 56.0;
const RIGHT: f64 = 120.0;
const BELOW: f64 = 80.0;
/// Shades of probabilities; the lowest are left white.
const SHADES: usize = 10;
/// From here on a pair counts as a contact in the caption, if its residues are so far apart in the sequence.
const LIKELY: f32 = 0.5;
const APART: usize = 6;
/// Characters of an id that are shown.
const MOST_ID: usize = 60;

/// Draws the contacts of a sequence of so many residues, of which `pairs` are known, i < j from 1 on, and writes the
/// picture to `path`, where an older one is replaced. With a `rule` these are not all pairs, and the picture says so.
///
/// # Errors
/// If the file system refuses.
pub fn draw_contact_map(
    path: &Path,
    id: &str,
    n_residues: usize,
    pairs: &[(u32, u32, f32)],
    rule: Option<ContactPairs>,
) -> Result<(), ReportError> {
    let picture = picture(id, n_residues, pairs, rule);
    Ok(file::replace(path, picture.as_bytes(), Keep::Safely)?)
}

fn picture(
    id: &str,
    n_residues: usize,
    pairs: &[(u32, u32, f32)],
    rule: Option<ContactPairs>,
) -> String {
    // What was not written cannot be counted.
    let likely = rule.map_or(LIKELY, |rule| rule.threshold.max(LIKELY));
    let apart = rule.map_or(APART, |rule| rule.min_separation.max(APART));
    let (width, height) = (LEFT + SIDE + RIGHT, TOP + SIDE + BELOW);
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">
{CONTACT_MAP_MARK}
<style>text{{font:13px system-ui,sans-serif;fill:#333}}.id{{font-size:15px;font-weight:600}}.x{{text-anchor:middle}}.y{{text-anchor:end}}</style>
<rect width="{width}" height="{height}" fill="#fff"/>
"##
    );
    let n_likely = pairs
        .iter()
        .filter(|(i, j, p)| *p >= likely && (j - i) as usize >= apart)
        .count();
    // Writing to a string cannot fail.
    let _ = writeln!(
        svg,
        r##"<text class="id" x="{LEFT}" y="24">{}</text>
<text x="{LEFT}" y="44">{}, {} of p ≥ {likely} between residues that are {apart} or more apart</text>"##,
        escaped(&shortened(id, MOST_ID)),
        counted(n_residues as u64, "residue", "residues"),
        counted(n_likely as u64, "contact", "contacts"),
    );
    svg += &cells(n_residues, pairs);
    svg += &axes(n_residues);
    svg += &legend(rule);
    if let Some(note) = rule.and_then(not_kept) {
        let _ = writeln!(
            svg,
            r#"<text x="{LEFT}" y="{:.1}">{note}</text>"#,
            TOP + SIDE + 68.0
        );
    }
    svg += "</svg>\n";
    svg
}

/// Which pairs the output does not have, if there are such.
fn not_kept(rule: ContactPairs) -> Option<String> {
    let threshold = rule.threshold;
    let unlikely = (threshold > 0.0).then(|| format!("of p &lt; {threshold}"));
    let near = match rule.min_separation {
        0 | 1 => None,
        apart => Some(format!("between residues less than {apart} apart")),
    };
    let which: Vec<_> = [unlikely, near].into_iter().flatten().collect();
    let which = (!which.is_empty()).then(|| which.join(", or "))?;
    Some(format!("Pairs {which} were not kept."))
}

/// The pairs, on both sides of the diagonal: a path for each shade.
fn cells(n_residues: usize, pairs: &[(u32, u32, f32)]) -> String {
    let mut paths = vec![String::new(); SHADES];
    for &(i, j, probability) in pairs {
        let shade = shade(probability);
        if shade > 0 {
            for (row, column) in [(i, j), (j, i)] {
                let _ = write!(paths[shade], "M{} {}h1v1h-1z", column - 1, row - 1);
            }
        }
    }
    let scale = SIDE / n_residues.max(1) as f64;
    let mut svg = format!(
        r#"<g transform="translate({LEFT} {TOP}) scale({scale:.6})" shape-rendering="crispEdges">"#
    );
    for (shade, path) in paths
        .iter()
        .enumerate()
        .filter(|(_, path)| !path.is_empty())
    {
        let _ = write!(svg, "\n<path fill=\"{}\" d=\"{path}\"/>", colour(shade));
    }
    svg + "\n</g>\n"
}

/// Frame, ticks at round numbers of residues, and what they are.
fn axes(n_residues: usize) -> String {
    let (right, floor) = (LEFT + SIDE, TOP + SIDE);
    let mut svg = format!(
        r##"<rect x="{LEFT}" y="{TOP}" width="{SIDE}" height="{SIDE}" fill="none" stroke="#999"/>
"##
    );
    let step = round_step(n_residues as f64 / 6.0).max(1.0);
    let rounds = (1..).map(|n| f64::from(n) * step);
    let ticks = [1.0]
        .into_iter()
        .chain(rounds.skip_while(|tick| *tick < 2.0))
        .take_while(|tick| *tick <= n_residues as f64);
    for tick in ticks {
        // The middle of the residue's cell.
        let at = SIDE * (tick - 0.5) / n_residues.max(1) as f64;
        let (x, y) = (LEFT + at, TOP + at);
        let _ = writeln!(
            svg,
            r##"<path d="M{x:.1} {floor}v5M{LEFT} {y:.1}h-5" stroke="#999"/><text class="x" x="{x:.1}" y="{:.1}">{tick}</text><text class="y" x="{:.1}" y="{:.1}">{tick}</text>"##,
            floor + 20.0,
            LEFT - 9.0,
            y + 4.5,
        );
    }
    let _ = writeln!(
        svg,
        r#"<text class="x" x="{:.1}" y="{:.1}">residue</text>"#,
        (LEFT + right) / 2.0,
        floor + 44.0
    );
    svg
}

/// What shades stand for, beside the map. Below the threshold of a rule there are none.
fn legend(rule: Option<ContactPairs>) -> String {
    let height = SIDE / 2.0 / SHADES as f64;
    let x = LEFT + SIDE + 24.0;
    let threshold = rule.map_or(0.0, |rule| rule.threshold);
    let first = shade(threshold);
    let mut svg = String::new();
    for shade in first..SHADES {
        let y = TOP + SIDE / 2.0 - (shade + 1) as f64 * height;
        let from = (shade as f32 / SHADES as f32).max(threshold);
        let label = match shade == first && threshold > 0.0 {
            true => format!("{from}"),
            false => format!("{from:.1}"),
        };
        let _ = writeln!(
            svg,
            r##"<rect x="{x}" y="{y:.1}" width="16" height="{height:.1}" fill="{}" stroke="#ddd" stroke-width="0.5"/><text x="{:.1}" y="{:.1}">{label}</text>"##,
            colour(shade),
            x + 22.0,
            y + height + 4.5,
        );
    }
    if threshold > 0.0 {
        let y = TOP + SIDE / 2.0 - first as f64 * height;
        let _ = writeln!(
            svg,
            r#"<text x="{x}" y="{:.1}">less: not kept</text>"#,
            y + 22.0
        );
    }
    let y = TOP + SIDE / 2.0 - SHADES as f64 * height - 6.0;
    let _ = writeln!(svg, r#"<text x="{x}" y="{y:.1}">p</text>"#);
    svg
}

/// Which of the shades a probability has.
fn shade(probability: f32) -> usize {
    ((probability.clamp(0.0, 1.0) * SHADES as f32) as usize).min(SHADES - 1)
}

/// From white to a dark blue, darker evenly.
fn colour(shade: usize) -> String {
    let share = shade as f64 / (SHADES - 1) as f64;
    let mixed = |dark: f64| (255.0 + (dark - 255.0) * share).round() as u8;
    format!("#{:02x}{:02x}{:02x}", mixed(8.0), mixed(48.0), mixed(107.0))
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;");
    text.replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_on_both_sides_in_their_shade() {
        let svg = picture(
            "<a&b>",
            20,
            &[(1, 9, 0.97), (2, 3, 0.55), (4, 12, 0.04)],
            None,
        );
        assert!(svg.contains("&lt;a&amp;b&gt;"));
        assert!(svg.contains(
            "20 residues, 1 contact of p ≥ 0.5 between residues that are 6 or more apart"
        ));
        assert!(svg.contains("M8 0h1v1h-1zM0 8h1v1h-1z"));
        assert!(svg.contains("M2 1h1v1h-1zM1 2h1v1h-1z"));
        assert!(!svg.contains("M11 3h1"), "white cells are not drawn");
        assert!(svg.contains(CONTACT_MAP_MARK) && svg.ends_with("</svg>\n"));
        // XML has one root, and each element ends.
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }

    #[test]
    fn what_was_not_kept_is_not_counted() {
        let pairs = [(1, 9, 0.97), (1, 8, 0.8), (1, 7, 0.9)];
        let with = |threshold, min_separation| {
            let rule = ContactPairs {
                threshold,
                min_separation,
            };
            picture("a", 20, &pairs, Some(rule))
        };
        let svg = with(0.75, 8);
        assert!(svg.contains("1 contact of p ≥ 0.75 between residues that are 8 or more apart"));
        assert!(svg.contains(
            "Pairs of p &lt; 0.75, or between residues less than 8 apart were not kept."
        ));
        assert!(
            svg.contains(">0.75<") && svg.contains(">less: not kept<"),
            "{svg}"
        );
        assert!(!svg.contains(">0.6<") && svg.contains(">0.8<"));
        let svg = with(0.3, 1);
        assert!(svg.contains("3 contacts of p ≥ 0.5 between residues that are 6 or more apart"));
        assert!(svg.contains("Pairs of p &lt; 0.3 were not kept."));
        assert!(!picture("a", 20, &pairs, None).contains("not kept"));
    }

    #[test]
    fn shades_are_from_white_to_dark() {
        assert_eq!((shade(0.0), shade(0.34), shade(1.0)), (0, 3, 9));
        assert_eq!((colour(0), colour(9)), ("#ffffff".into(), "#08306b".into()));
        assert!(picture("one", 1, &[], None).contains("1 residue, 0 contacts"));
    }
}
