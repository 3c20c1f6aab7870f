//! The report as a page to read: the targets first, then a table and a plot for each section.

use super::{Axis, Better, Limit, Machine, Measure, Report, Row, Section, Target};

const HOW_TO_READ: &str = "\
The figures of a section were measured in one run, on the same machine and by the same load generator; what grows is compared with itself.
The host syncs every commit to disk, as it does by default; so do those of its peers that store anything.
A ratio in parentheses, such as `(1.51x)`, is the figure divided by the one that its section compares with. ↑ means that higher is better, ↓ that lower is.";

/// Where nothing was measured.
pub(super) const MISSING: &str = "–";

/// The whole page. The plots are expected beside it.
pub(super) fn render(report: &Report) -> String {
    let mut parts = vec![
        "# Benchmark report".to_owned(),
        HOW_TO_READ.to_owned(),
        machine(&report.machine),
    ];
    parts.extend(targets(&report.sections));
    parts.extend(report.sections.iter().map(section));
    parts.join("\n\n") + "\n"
}

fn machine(machine: &Machine) -> String {
    let Machine {
        cores,
        memory_gib,
        kernel,
        cpu,
    } = machine;
    format!("Machine: {cores} cores of {cpu}, {memory_gib} GiB of memory, Linux {kernel}.")
}

fn targets(sections: &[Section]) -> Option<String> {
    let rows: Vec<_> = sections
        .iter()
        .flat_map(|section| section.targets.iter().map(move |it| target(section, it)))
        .collect();
    let heads = ["Benchmark", "Target", "Limit", "Measured", "Result"].map(str::to_owned);
    let table = table(&heads, 2, &rows);
    (!rows.is_empty()).then(|| format!("## Targets\n\n{table}"))
}

fn target(section: &Section, target: &Target) -> Vec<String> {
    let limit = match target.limit {
        Limit::AtLeast(least) => format!("at least {}", number(least)),
        Limit::AtMost(most) => format!("at most {}", number(most)),
    };
    let result = if target.met() { "met" } else { "**missed**" };
    let doubt = if section.smoke { " (smoke run)" } else { "" };
    vec![
        format!("[{}](#{})", section.title, section.id),
        target.what.clone(),
        limit,
        number(target.value),
        format!("{result}{doubt}"),
    ]
}

fn section(section: &Section) -> String {
    let Section { id, title, how, .. } = section;
    let mut parts = vec![
        format!("<a id=\"{id}\"></a>\n\n## {title}"),
        how.clone(),
        circumstances(section),
        figures(section),
        format!("![{title}]({id}.svg)"),
    ];
    let notes: Vec<_> = section.notes.iter().map(|it| format!("- {it}")).collect();
    parts.push(notes.join("\n"));
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

/// What a reader has to know before the figures.
fn circumstances(section: &Section) -> String {
    let mut sentences = Vec::new();
    if section.smoke {
        sentences.push("**A smoke run: too short to believe its figures.**".to_owned());
    }
    if !section.measured.is_empty() {
        sentences.push(format!("Measured {}.", section.measured));
    }
    if let Some(beside) = &section.beside {
        sentences.push(format!("Ratios compare with: {beside}."));
    }
    sentences.join(" ")
}

fn figures(section: &Section) -> String {
    if section.rows.is_empty() {
        return String::new();
    }
    let mut heads = vec!["Subject".to_owned()];
    heads.extend(section.axis.as_ref().map(axis));
    heads.extend(section.measures.iter().map(measure));
    let rows: Vec<_> = section.rows.iter().map(|it| row(section, it)).collect();
    table(&heads, 1, &rows)
}

fn axis(axis: &Axis) -> String {
    with_unit(&axis.name, &axis.unit)
}

fn measure(measure: &Measure) -> String {
    let arrow = match measure.better {
        Better::Higher => " ↑",
        Better::Lower => " ↓",
        Better::Neither => "",
    };
    with_unit(&measure.name, &measure.unit) + arrow
}

/// `Latency (ms)`, or the name alone if there is no unit.
pub(super) fn with_unit(name: &str, unit: &str) -> String {
    if unit.is_empty() {
        return name.to_owned();
    }
    format!("{name} ({unit})")
}

fn row(section: &Section, row: &Row) -> Vec<String> {
    let mut cells = vec![row.subject.clone()];
    if section.axis.is_some() {
        cells.push(row.at.map_or_else(|| MISSING.to_owned(), number));
    }
    let measures = 0..section.measures.len();
    cells.extend(measures.map(|measure| figure(section, row, measure)));
    cells
}

fn figure(section: &Section, row: &Row, measure: usize) -> String {
    let value = row
        .value(measure)
        .map_or_else(|| MISSING.to_owned(), number);
    match section.ratio(row, measure) {
        Some(times) => format!("{value} ({})", ratio(times)),
        None => value,
    }
}

/// A table whose first `names` columns are words, and the others figures.
fn table(heads: &[String], names: usize, rows: &[Vec<String>]) -> String {
    let rules: Vec<_> = (0..heads.len())
        .map(|column| if column < names { "---" } else { "---:" })
        .map(str::to_owned)
        .collect();
    let mut lines = vec![line(heads), line(&rules)];
    lines.extend(rows.iter().map(|cells| line(cells)));
    lines.join("\n")
}

fn line(cells: &[String]) -> String {
    let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |", cells.join(" | "))
}

/// Two decimals where they say something: `0.034x`, `1.51x`, `12.3x`, `1,840x`.
pub(super) fn ratio(value: f64) -> String {
    let decimals = match value.abs() {
        100.0.. => 0,
        10.0.. => 1,
        0.1.. => 2,
        _ => return format!("{}x", number(value)),
    };
    format!("{}x", grouped(&format!("{value:.decimals$}")))
}

/// At least three significant digits, all of those before the point: `8,563`, `12.7`, `0.61`.
pub(super) fn number(value: f64) -> String {
    if !value.is_finite() {
        return MISSING.to_owned();
    }
    let text = format!("{value:.*}", decimals(value));
    let short = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text.as_str(),
    };
    // What rounds to zero has no sign.
    grouped(if short == "-0" { "0" } else { short })
}

/// How many digits after the point make three significant ones.
fn decimals(value: f64) -> usize {
    const MOST: usize = 12;
    let limits = std::iter::successors(Some(100.0), |limit| Some(limit / 10.0));
    limits
        .take(MOST)
        .take_while(|limit| *limit > value.abs())
        .count()
}

/// Thousands separators before the point.
fn grouped(text: &str) -> String {
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let (sign, digits) = whole.split_at(usize::from(whole.starts_with('-')));
    let mut result = sign.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            result.push(',');
        }
        result.push(digit);
    }
    result + rest
}
