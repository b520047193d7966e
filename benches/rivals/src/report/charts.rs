// SPDX-License-Identifier: Apache-2.0
//! Curves as SVG files.

use std::path::Path;

use plotters::prelude::*;

const SIZE: (u32, u32) = (900, 420);
const COLORS: [RGBColor; 11] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 39, 40),
    RGBColor(44, 160, 44),
    RGBColor(127, 127, 127),
    RGBColor(60, 60, 60),
    RGBColor(255, 187, 120),
    RGBColor(255, 127, 14),
    RGBColor(197, 176, 213),
    RGBColor(148, 103, 189),
    RGBColor(158, 218, 229),
    RGBColor(23, 190, 207),
];

/// A named curve.
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// What the axes say, and how.
pub(crate) struct Axes<'a> {
    pub(crate) title: &'a str,
    pub(crate) x: &'a str,
    pub(crate) y: &'a str,
    /// Both in powers of ten; else both from zero.
    pub(crate) logarithmic: bool,
}

/// Draws the curves; none, where there is no point.
pub(crate) fn draw(path: &Path, axes: &Axes<'_>, curves: &[Curve]) -> Result<(), String> {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let most = |of: fn(&(f64, f64)) -> f64| points().map(of).fold(f64::MIN, f64::max);
    let least = |of: fn(&(f64, f64)) -> f64| points().map(of).fold(f64::MAX, f64::min);
    if points().count() == 0 {
        return Ok(());
    }
    let (x, y) = (most(|it| it.0), (most(|it| it.1) * 1.08).max(1.0));
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    let drawn = area.fill(&WHITE).map_err(text).and_then(|()| {
        let mut builder = ChartBuilder::on(&area);
        builder
            .caption(axes.title, ("sans-serif", 18))
            .margin(10)
            .x_label_area_size(38)
            .y_label_area_size(76);
        if axes.logarithmic {
            let (left, low) = (least(|it| it.0).max(1e-9), least(|it| it.1).max(1e-9) * 0.8);
            let across = (left..x * 1.01).log_scale();
            let chart = builder.build_cartesian_2d(across, (low..y * 1.2).log_scale());
            fill(chart.map_err(text)?, axes, curves)
        } else {
            let chart = builder.build_cartesian_2d(0.0..x * 1.01, 0.0..y);
            fill(chart.map_err(text)?, axes, curves)
        }
    });
    drawn
        .and_then(|()| area.present().map_err(text))
        .map_err(|error| format!("{}: {error}", path.display()))
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

type Chart<'a, X, Y> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<X, Y>>;

fn fill<X, Y>(mut chart: Chart<'_, X, Y>, axes: &Axes<'_>, curves: &[Curve]) -> Result<(), String>
where
    X: plotters::coord::ranged1d::Ranged<ValueType = f64>
        + plotters::coord::ranged1d::ValueFormatter<f64>,
    Y: plotters::coord::ranged1d::Ranged<ValueType = f64>
        + plotters::coord::ranged1d::ValueFormatter<f64>,
{
    let mut mesh = chart.configure_mesh();
    let number = |value: &f64| short(*value);
    mesh.x_desc(axes.x)
        .y_desc(axes.y)
        .x_label_formatter(&number)
        .y_label_formatter(&number);
    mesh.light_line_style(RGBColor(240, 240, 240))
        .label_style(("sans-serif", 13));
    mesh.draw().map_err(text)?;
    for (curve, color) in curves.iter().zip(COLORS.iter().cycle()) {
        let style = color.stroke_width(2);
        let line = LineSeries::new(curve.points.iter().copied(), style);
        chart
            .draw_series(line)
            .map_err(text)?
            .label(curve.name.as_str())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    }
    if curves.len() > 1 {
        let mut labels = chart.configure_series_labels();
        labels
            .position(SeriesLabelPosition::UpperLeft)
            .label_font(("sans-serif", 12));
        labels
            .background_style(WHITE.mix(0.8))
            .border_style(RGBColor(200, 200, 200));
        labels.draw().map_err(text)?;
    }
    Ok(())
}

fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 1e6 => format!("{} M", (value / 1e5).round() / 10.0),
        v if v >= 1e4 => format!("{:.0} k", value / 1e3),
        v if v >= 10.0 || v == 0.0 => format!("{value:.0}"),
        _ => ((value * 100.0).round() / 100.0).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_become_svg() {
        let directory = tempfile::tempdir().unwrap();
        for logarithmic in [false, true] {
            let path = directory.path().join("chart.svg");
            let curve = |name: &str| Curve {
                name: name.to_owned(),
                points: vec![(1.0, 10.0), (64.0, 9_000.0), (10_000.0, 40_000.0)],
            };
            let axes = Axes {
                title: "rates",
                x: "callers",
                y: "a second",
                logarithmic,
            };
            draw(&path, &axes, &[curve("audit"), curve("SQLite")]).unwrap();
            let svg = std::fs::read_to_string(&path).unwrap();
            assert!(svg.contains("<svg") && svg.contains("SQLite") && svg.contains("polyline"));
        }
    }

    #[test]
    fn labels_are_short() {
        assert_eq!(short(0.0), "0");
        assert_eq!(short(1_000_000.0), "1 M");
        assert_eq!(short(25_000.0), "25 k");
        assert_eq!(short(0.25), "0.25");
        assert_eq!(short(1.0), "1");
    }
}
