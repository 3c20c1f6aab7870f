//! The report against tables of examples, and one small report as a whole.

use std::fs;

use super::markdown::{number, ratio, render};
use super::plot::svg;
use super::{Better, Limit, Machine, Report, Row, Section, Target, rounded};

#[test]
fn numbers_keep_three_digits_and_all_before_the_point() {
    let table = [
        (0.0, "0"),
        (-0.0, "0"),
        (0.61, "0.61"),
        (0.6074, "0.607"),
        (0.00012345, "0.000123"),
        (4.068, "4.07"),
        (12.0, "12"),
        (12.04, "12"),
        (99.96, "100"),
        (999.6, "1,000"),
        (8563.4, "8,563"),
        (12912.0, "12,912"),
        (1_234_567.0, "1,234,567"),
        (-1500.0, "-1,500"),
        (-0.25, "-0.25"),
        (-1e-20, "0"),
        (f64::NAN, "–"),
        (f64::INFINITY, "–"),
    ];
    for (value, text) in table {
        assert_eq!(number(value), text, "{value}");
    }
}

#[test]
fn ratios_keep_the_decimals_that_say_something() {
    let table = [
        (0.00345, "0.00345x"),
        (0.66, "0.66x"),
        (1.0, "1.00x"),
        (1.508, "1.51x"),
        (12.34, "12.3x"),
        (278.4, "278x"),
        (1840.0, "1,840x"),
    ];
    for (value, text) in table {
        assert_eq!(ratio(value), text, "{value}");
    }
}

#[test]
fn stored_figures_survive_json_unchanged() {
    for value in [
        0.1 + 0.2,
        1.0 / 3.0,
        8563.123456,
        1.5e-7,
        2.0_f64.sqrt() * 1e9,
    ] {
        let stored = rounded(value);
        let json = serde_json::to_string(&stored).unwrap();
        assert_eq!(serde_json::from_str::<f64>(&json).unwrap(), stored);
        assert!(
            (stored / value - 1.0).abs() < 1e-5,
            "{value} became {stored}"
        );
    }
}

#[test]
fn targets_include_their_limit() {
    let table = [
        (9.9, Limit::AtLeast(10.0), false),
        (10.0, Limit::AtLeast(10.0), true),
        (10.0, Limit::AtMost(10.0), true),
        (10.1, Limit::AtMost(10.0), false),
        (f64::NAN, Limit::AtLeast(0.0), false),
        (f64::NAN, Limit::AtMost(0.0), false),
    ];
    for (value, limit, met) in table {
        let what = String::new();
        let target = Target { what, value, limit };
        assert_eq!(target.met(), met, "{target:?}");
    }
}

#[test]
fn ratios_are_to_the_other_subject_at_the_same_place() {
    let section = Section::new("load", "Load", "")
        .axis("Offered load", "tasks/s")
        .beside("bare")
        .measure("Latency", "ms", Better::Lower)
        .row_at("bare", 10.0, [2.0])
        .row_at("ours", 10.0, [3.0])
        .row_at("bare", 20.0, [0.0])
        .row_at("ours", 20.0, [3.0])
        .row_at("ours", 30.0, [3.0])
        .row_at("bare", 40.0, [None])
        .row_at("ours", 40.0, [Some(3.0)]);
    let ratios: Vec<_> = section
        .rows
        .iter()
        .map(|row| section.ratio(row, 0))
        .collect();
    assert_eq!(ratios, [None, Some(1.5), None, None, None, None, None]);
}

#[test]
fn a_row_without_a_finite_value_has_none() {
    let row = Row {
        subject: "ours".to_owned(),
        at: None,
        values: vec![Some(1.0), None, Some(f64::NAN)],
    };
    let values: Vec<_> = (0..4).map(|measure| row.value(measure)).collect();
    assert_eq!(values, [Some(1.0), None, None, None]);
}

#[test]
fn a_section_replaces_the_one_with_its_id() {
    let mut report = empty();
    report.put(Section::new("echo", "Echo", ""));
    report.put(Section::new("stream", "Stream", ""));
    report.put(Section::new("echo", "Echo again", ""));
    let titles: Vec<_> = report.sections.iter().map(|it| it.title.as_str()).collect();
    assert_eq!(titles, ["Echo again", "Stream"]);
}

#[test]
fn a_machine_is_described_by_its_kernel() {
    let cpuinfo =
        "processor\t: 0\nmodel name\t: EPYC: 9\n\nprocessor\t: 1\nmodel name\t: EPYC: 9\n";
    let meminfo = "MemTotal:       24684092 kB\nMemFree: 1 kB\n";
    let machine = Machine::described(cpuinfo, meminfo, "6.12.9\n");
    assert_eq!(
        machine,
        Machine {
            cores: 2,
            memory_gib: 24,
            kernel: "6.12.9".to_owned(),
            cpu: "EPYC: 9".to_owned()
        },
    );
}

#[test]
fn a_saved_report_opens_again_on_its_machine_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut report = Report::open(folder.path()).unwrap();
    assert!(report.sections.is_empty());
    report.put(echo().target("nothing, ms", f64::NAN, Limit::AtMost(1.0)));
    report.save(folder.path()).unwrap();
    let files = ["report.json", "report.md", "echo.svg"];
    let saved = files.map(|name| fs::read_to_string(folder.path().join(name)).unwrap());

    let again = Report::open(folder.path()).unwrap();
    assert!(again.sections[0].targets[2].value.is_nan());
    again.save(folder.path()).unwrap();
    let saved_again = files.map(|name| fs::read_to_string(folder.path().join(name)).unwrap());
    assert_eq!(saved, saved_again);

    report.machine.cores += 1;
    report.save(folder.path()).unwrap();
    assert!(Report::open(folder.path()).unwrap().sections.is_empty());
}

#[test]
fn what_is_no_report_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("report.json"), "{}").unwrap();
    let error = Report::open(folder.path()).unwrap_err();
    assert!(
        error.to_string().ends_with("report.json is no report"),
        "{error}"
    );
}

#[test]
fn a_page_shows_targets_figures_ratios_and_notes() {
    let mut report = empty();
    report.put(echo());
    report.put(
        Section::new("load", "Load", "An open loop.")
            .smoke(true)
            .axis("Offered load", "tasks/s")
            .measure("Failures", "", Better::Neither)
            .row_at("a | b", 1000.0, [0.0]),
    );
    let page = render(&report);
    let (_, rest) = page.split_once("\n\nMachine: ").unwrap();
    assert_eq!(rest, PAGE);
}

const PAGE: &str = r#"4 cores of EPYC, 16 GiB of memory, Linux 6.12.9.

## Targets

| Benchmark | Target | Limit | Measured | Result |
| --- | --- | ---: | ---: | ---: |
| [Echo](#echo) | throughput, tasks/s | at least 5,000 | 8,563 | met |
| [Echo](#echo) | latency, ms | at most 4 | 4.07 | **missed** |

<a id="echo"></a>

## Echo

One task after another.

Measured 2026-11-21, commit abcdef0. Ratios compare with: bare.

| Subject | Throughput (tasks/s) ↑ | Latency (ms) ↓ |
| --- | ---: | ---: |
| ours | 8,563 (0.66x) | 4.07 (1.57x) |
| theirs | 412 (0.0319x) | – |
| bare | 12,912 | 2.6 |

![Echo](echo.svg)

- The disk is a virtual one.

<a id="load"></a>

## Load

An open loop.

**A smoke run: too short to believe its figures.**

| Subject | Offered load (tasks/s) | Failures |
| --- | ---: | ---: |
| a \| b | 1,000 | 0 |

![Load](load.svg)
"#;

#[test]
fn a_plot_of_bars_names_subjects_measures_and_values() {
    let words = ["Echo", "ours", "theirs", "bare", "Throughput", "8,563", "–"];
    shows(&echo(), &words);
    shows(
        &echo(),
        &["tasks/s, higher is better", "ms, lower is better"],
    );
    let wide = echo().row("a <b> & c", [1.0, 500.0]);
    shows(
        &wide,
        &[
            "a &lt;b&gt; &amp; c",
            "tasks/s, log scale, higher is better",
        ],
    );
}

#[test]
fn a_plot_along_an_axis_names_it_and_its_places() {
    let section = Section::new("load", "Load", "")
        .smoke(true)
        .log_axis("Offered load", "tasks/s")
        .measure("Latency", "ms", Better::Lower)
        .row_at("ours", 10.0, [1.0])
        .row_at("ours", 1e4, [2.0])
        .row_at("bare", 1e8, [60.0]);
    shows(&section, &["Load (smoke run)", "ours", "bare", "Latency"]);
    shows(
        &section,
        &["ms, log scale, lower is better", "Offered load (tasks/s)"],
    );
    shows(&section, &["10", "10,000", "100 M"]);
}

fn shows(section: &Section, words: &[&str]) {
    let picture = svg(section).unwrap();
    well_formed(&picture);
    for word in words {
        let text = format!(">\n{word}\n</text>");
        assert!(picture.contains(&text), "{word} in {picture}");
    }
    assert_eq!(picture, svg(section).unwrap());
}

#[test]
fn a_plot_of_anything_is_bounded() {
    let measured = |section: Section| section.measure("Any", "", Better::Neither);
    let many = (0..100).fold(
        measured(Section::new("many", "Many", "")),
        |section, index| section.row(format!("subject {index}"), [f64::from(index)]),
    );
    let along = |values: [f64; 2]| {
        let section = measured(Section::new("along", "Along", "")).log_axis("x", "");
        section.row_at("one", values[0], [values[1]])
    };
    let lines = (0..100).fold(along([1.0, 1.0]), |section, index| {
        section.row_at(format!("subject {index}"), 2.0, [1.0])
    });
    let sections = [
        Section::new("empty", "Empty", ""),
        measured(Section::new("rowless", "Rowless", "")).axis("x", ""),
        measured(Section::new("zero", "Zero", "")).row("none", [0.0]),
        measured(Section::new("negative", "Negative", ""))
            .row("one", [-3.0])
            .row("two", [1e9]),
        along([0.0, 0.0]),
        along([f64::NAN, 1.0]),
        along([1e-300, 1e300]),
        many,
        lines,
    ];
    for section in sections {
        let picture = svg(&section).unwrap();
        well_formed(&picture);
        assert!(
            picture.len() < 60_000,
            "{} is {} bytes",
            section.id,
            picture.len()
        );
        assert!(!picture.contains("NaN"), "{picture}");
    }
}

/// All that the backend writes: tags without children, and texts, on lines of their own.
fn well_formed(picture: &str) {
    assert!(
        picture.starts_with("<svg ") && picture.ends_with("</svg>\n"),
        "{picture}"
    );
    let opened = picture.matches('<').count() - 2 * picture.matches("</").count();
    assert_eq!(opened, picture.matches("/>").count(), "{picture}");
    assert_eq!(
        picture.matches('<').count(),
        picture.matches('>').count(),
        "{picture}"
    );
}

fn echo() -> Section {
    Section::new("echo", "Echo", "One task after another.")
        .measured("2026-11-21, commit abcdef0")
        .beside("bare")
        .measure("Throughput", "tasks/s", Better::Higher)
        .measure("Latency", "ms", Better::Lower)
        .row("ours", [8563.0, 4.07])
        .row("theirs", [Some(412.0), None])
        .row("bare", [12912.0, 2.6])
        .target("throughput, tasks/s", 8563.0, Limit::AtLeast(5000.0))
        .target("latency, ms", 4.07, Limit::AtMost(4.0))
        .note("The disk is a virtual one.")
}

fn empty() -> Report {
    Report {
        machine: Machine {
            cores: 4,
            memory_gib: 16,
            kernel: "6.12.9".to_owned(),
            cpu: "EPYC".to_owned(),
        },
        sections: Vec::new(),
    }
}
