//! A section as a picture: lines along its axis, or bars, in a panel for each of its first measures.

use std::collections::BTreeSet;

use anyhow::Result;
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::markdown::{MISSING, number, with_unit};
use super::scale::Scale;
use super::{Axis, Better, Measure, Row, Section};

/// In pixels, as all sizes here.
const WIDTH: u32 = 960;
const MARGIN: i32 = 16;
const TITLE: i32 = 44;
const CAPTION: i32 = 44;
const BAR: u32 = 26;
const LINES: u32 = 290;
const LEGEND_LINE: i32 = 20;
/// A piece of a line in the legend, and the gap to its name.
const SAMPLE: i32 = 28;
/// Where the numbers of a y axis or of the ends of bars are written.
const NUMBERS: i32 = 76;

const MOST_PANELS: usize = 3;
const MOST_BARS: usize = 40;

const DARK: RGBColor = RGBColor(40, 40, 40);
const PALE: RGBColor = RGBColor(115, 115, 115);
const GRID: RGBColor = RGBColor(222, 222, 222);
/// What the others are compared with.
const BESIDE: RGBColor = RGBColor(140, 140, 140);
const BAR_COLOR: RGBColor = RGBColor(0, 114, 178);
/// Can be told apart by people who are color-blind.
const COLORS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(110, 80, 200),
    RGBColor(120, 85, 50),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Bars<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Scale, RangedCoordf64>>;

/// The plot as an SVG document, the same for the same section.
pub(super) fn svg(section: &Section) -> Result<String> {
    match &section.axis {
        Some(axis) => along(section, axis),
        None => bars(section),
    }
}

fn along(section: &Section, axis: &Axis) -> Result<String> {
    let rows: Vec<_> = section.rows.iter().collect();
    let panels = panels(section, &rows);
    let subjects = subjects(section);
    let legend = legend(&subjects);
    let top = TITLE + LEGEND_LINE * legend.last().map_or(0, |key| key.line + 1);
    let height = top.unsigned_abs() + LINES * count(&panels);
    let all: BTreeSet<_> = rows.iter().map(|row| &row.subject).collect();
    let title = title(section, (subjects.len(), all.len()), "subjects");
    canvas(&title, height, |root| {
        legend.iter().try_for_each(|key| draw_key(root, key))?;
        let (_, rest) = root.split_vertically(top);
        let x = Scale::of_axis(axis, &rows);
        let areas = rest.split_evenly((panels.len().max(1), 1));
        for (panel, area) in panels.iter().zip(areas) {
            draw_lines(&caption(panel, &area)?, panel, &x, section, &subjects)?;
        }
        Ok(())
    })
}

fn bars(section: &Section) -> Result<String> {
    let rows: Vec<_> = section.rows.iter().take(MOST_BARS).collect();
    let panels = panels(section, &rows);
    let height = (TITLE + CAPTION + MARGIN).unsigned_abs() + BAR * count(&rows);
    let title = title(section, (rows.len(), section.rows.len()), "rows");
    canvas(&title, height, |root| {
        let names = name_width(&rows);
        draw_names(root, &rows, names)?;
        let rest = root.margin(TITLE, MARGIN, names, 0);
        let areas = rest.split_evenly((1, panels.len().max(1)));
        for (panel, area) in panels.iter().zip(areas) {
            draw_bars(&caption(panel, &area)?, panel, section, &rows)?;
        }
        Ok(())
    })
}

/// The section's title, and what a reader of the picture alone must not miss.
fn title(section: &Section, (shown, all): (usize, usize), what: &str) -> String {
    let mut title = section.title.clone();
    if section.smoke {
        title += " (smoke run)";
    }
    if shown < all {
        title += &format!(" ({shown} of {all} {what})");
    }
    title
}

/// A white sheet with a title, and what `draw` adds.
fn canvas(title: &str, height: u32, draw: impl FnOnce(&Area<'_>) -> Result<()>) -> Result<String> {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
        root.fill(&WHITE)?;
        let title = clipped(title, 19, WIDTH.cast_signed() - 2 * MARGIN);
        root.draw_text(&title, &bold(17, &DARK), (MARGIN, 12))?;
        draw(&root)?;
        root.present()?;
    }
    Ok(text)
}

/// One measure, and how its values are placed.
#[derive(Debug)]
struct Panel<'a> {
    index: usize,
    measure: &'a Measure,
    scale: Scale,
}

/// The first measures that have values.
fn panels<'a>(section: &'a Section, rows: &[&Row]) -> Vec<Panel<'a>> {
    let measures = section.measures.iter().enumerate();
    let panels = measures.filter_map(|(index, measure)| {
        let values: Vec<_> = rows.iter().filter_map(|row| row.value(index)).collect();
        let scale = Scale::of_values(&values);
        (!values.is_empty()).then_some(Panel {
            index,
            measure,
            scale,
        })
    });
    panels.take(MOST_PANELS).collect()
}

/// Writes what a panel shows, and leaves the area below.
fn caption<'a>(panel: &Panel<'_>, area: &Area<'a>) -> Result<Area<'a>> {
    let (head, rest) = area.split_vertically(CAPTION);
    let width = i32::try_from(area.dim_in_pixel().0)?;
    let name = clipped(&panel.measure.name, 14, width);
    head.draw_text(&name, &bold(13, &DARK), (MARGIN, 2))?;
    let scale = clipped(&explanation(panel), 11, width);
    head.draw_text(&scale, &plain(11, &PALE), (MARGIN, 20))?;
    Ok(rest)
}

/// `ms, log scale, lower is better`
fn explanation(panel: &Panel<'_>) -> String {
    let log = panel.scale.logarithmic.then_some("log scale");
    let better = match panel.measure.better {
        Better::Higher => Some("higher is better"),
        Better::Lower => Some("lower is better"),
        Better::Neither => None,
    };
    let unit = Some(panel.measure.unit.as_str()).filter(|unit| !unit.is_empty());
    let words: Vec<_> = [unit, log, better].into_iter().flatten().collect();
    words.join(", ")
}

fn draw_lines(
    area: &Area<'_>,
    panel: &Panel<'_>,
    x: &Scale,
    section: &Section,
    subjects: &[Subject<'_>],
) -> Result<()> {
    let mut chart = ChartBuilder::on(area)
        .margin_right(MARGIN * 2)
        .margin_top(6)
        .margin_bottom(20)
        .x_label_area_size(42)
        .y_label_area_size(NUMBERS)
        .build_cartesian_2d(x.clone(), panel.scale.clone())?;
    let axis = section.axis.as_ref();
    chart
        .configure_mesh()
        .bold_line_style(GRID)
        .axis_style(BESIDE)
        .label_style(plain(12, &DARK))
        .x_desc(axis.map_or_else(String::new, |axis| with_unit(&axis.name, &axis.unit)))
        .draw()?;
    for subject in subjects {
        let points = points(section, subject.name, panel, x);
        let dots = points
            .iter()
            .map(|at| Circle::new(*at, 3, subject.color.filled()));
        chart.draw_series(dots)?;
        let line = PathElement::new(points.clone(), subject.color.stroke_width(2));
        chart.draw_series([line])?;
    }
    Ok(())
}

/// From left to right; without what has no place on the scales.
fn points(section: &Section, subject: &str, panel: &Panel<'_>, x: &Scale) -> Vec<(f64, f64)> {
    let rows = section.rows.iter().filter(|row| row.subject == subject);
    let mut points: Vec<_> = rows
        .filter_map(|row| Some((row.at?, row.value(panel.index)?)))
        .filter(|(at, value)| x.shows(*at) && panel.scale.shows(*value))
        .collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points
}

/// The subjects of all panels, ending where their bars begin.
fn draw_names(root: &Area<'_>, rows: &[&Row], width: i32) -> Result<()> {
    let style = plain(12, &DARK).pos(Pos::new(HPos::Right, VPos::Center));
    let bar = BAR.cast_signed();
    let first = TITLE + CAPTION + bar / 2;
    for (row, index) in rows.iter().zip(0..) {
        let name = clipped(&row.subject, 12, width - MARGIN);
        root.draw_text(&name, &style, (width + MARGIN - 8, first + bar * index))?;
    }
    Ok(())
}

fn draw_bars(area: &Area<'_>, panel: &Panel<'_>, section: &Section, rows: &[&Row]) -> Result<()> {
    let mut chart = ChartBuilder::on(area)
        .margin_left(MARGIN)
        .margin_right(NUMBERS)
        .build_cartesian_2d(panel.scale.clone(), f64::from(count(rows))..0.0)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_axes()
        .bold_line_style(GRID)
        .draw()?;
    for (row, index) in rows.iter().zip(0_u32..) {
        let color = if section.is_beside(row) {
            BESIDE
        } else {
            BAR_COLOR
        };
        let middle = f64::from(index) + 0.5;
        draw_bar(&mut chart, middle, row.value(panel.index), color)?;
    }
    Ok(())
}

/// A bar from zero, with its value at its end.
fn draw_bar(
    chart: &mut Bars<'_, '_>,
    middle: f64,
    value: Option<f64>,
    color: RGBColor,
) -> Result<()> {
    let end = value.unwrap_or(0.0);
    let bar = [(0.0, middle - 0.32), (end, middle + 0.32)];
    chart.draw_series([Rectangle::new(bar, color.filled())])?;
    let style = plain(12, &DARK).pos(Pos::new(HPos::Left, VPos::Center));
    let label = value.map_or_else(|| MISSING.to_owned(), short);
    let label = Text::new(label, (6, 0), style);
    chart.draw_series([EmptyElement::at((end.max(0.0), middle)) + label])?;
    Ok(())
}

/// Room for the longest subject, within reason.
fn name_width(rows: &[&Row]) -> i32 {
    let widths = rows.iter().map(|row| width(&row.subject, 12));
    widths.max().unwrap_or(0).min(230) + MARGIN
}

/// A line of the plot.
#[derive(Debug)]
struct Subject<'a> {
    name: &'a str,
    color: RGBColor,
}

/// In order of appearance, as many as there are colors for.
fn subjects(section: &Section) -> Vec<Subject<'_>> {
    let mut colors = COLORS.into_iter();
    let mut subjects: Vec<Subject<'_>> = Vec::new();
    for row in &section.rows {
        if subjects.iter().any(|known| known.name == row.subject) {
            continue;
        }
        let color = if section.is_beside(row) {
            Some(BESIDE)
        } else {
            colors.next()
        };
        subjects.extend(color.map(|color| Subject {
            name: &row.subject,
            color,
        }));
    }
    subjects
}

/// An entry of the legend, on its line.
#[derive(Debug)]
struct Key {
    name: String,
    color: RGBColor,
    left: i32,
    line: i32,
}

/// As many entries on a line as surely fit.
fn legend(subjects: &[Subject<'_>]) -> Vec<Key> {
    let (mut left, mut line) = (MARGIN, 0);
    let keys = subjects.iter().map(|subject| {
        let name = clipped(subject.name, 12, 420);
        let room = SAMPLE + width(&name, 12) + MARGIN;
        if left > MARGIN && left + room > WIDTH.cast_signed() {
            (left, line) = (MARGIN, line + 1);
        }
        let key = Key {
            name,
            color: subject.color,
            left,
            line,
        };
        left += room;
        key
    });
    keys.collect()
}

fn draw_key(root: &Area<'_>, key: &Key) -> Result<()> {
    let middle = TITLE + key.line * LEGEND_LINE + 4;
    let sample = vec![(key.left, middle), (key.left + 20, middle)];
    root.draw(&PathElement::new(sample, key.color.stroke_width(2)))?;
    root.draw(&Circle::new((key.left + 10, middle), 3, key.color.filled()))?;
    let style = plain(12, &DARK).pos(Pos::new(HPos::Left, VPos::Center));
    root.draw_text(&key.name, &style, (key.left + SAMPLE, middle))?;
    Ok(())
}

fn plain(size: u32, color: &RGBColor) -> TextStyle<'static> {
    // The backend divides sizes by this factor.
    ("sans-serif", f64::from(size) * 1.24)
        .into_font()
        .color(color)
}

fn bold(size: u32, color: &RGBColor) -> TextStyle<'static> {
    let font = ("sans-serif", f64::from(size) * 1.24).into_font();
    font.style(FontStyle::Bold).color(color)
}

/// At most this wide, with an ellipsis in the place of what is cut off.
fn clipped(text: &str, size: i32, most: i32) -> String {
    if width(text, size) <= most {
        return text.to_owned();
    }
    let letters = usize::try_from(most * 5 / (size * 3)).unwrap_or(0);
    let kept = text.chars().take(letters.saturating_sub(1));
    kept.chain(['…']).collect()
}

/// What a text takes at most, in fonts of the usual width: nobody knows the reader's.
fn width(text: &str, size: i32) -> i32 {
    let letters = i32::try_from(text.chars().count()).unwrap_or(i32::MAX);
    letters.saturating_mul(size).saturating_mul(3) / 5
}

/// A number that fits beside an axis: from ten millions on, in millions and more.
pub(super) fn short(value: f64) -> String {
    match value.abs() {
        1e12.. => format!("{} T", number(value / 1e12)),
        1e9.. => format!("{} G", number(value / 1e9)),
        1e7.. => format!("{} M", number(value / 1e6)),
        _ => number(value),
    }
}

fn count<T>(items: &[T]) -> u32 {
    u32::try_from(items.len()).unwrap_or(u32::MAX)
}
