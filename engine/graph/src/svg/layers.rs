//! One block in rows: each node below everything it waits for, so that all lines lead down.
//!
//! Three steps, as Sugiyama, Tagawa and Toda describe them (1981): rows by the longest way, an order within each row by the
//! middle of the neighbours, and places as near to the neighbours as the order allows. A line that passes rows has a place
//! of its own in each, so that it crosses no box.

/// How large something is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Size {
    pub(super) width: f64,
    pub(super) height: f64,
}

/// A block in rows.
pub(super) struct Drawn {
    pub(super) size: Size,
    /// The upper left corner of each node.
    pub(super) corners: Vec<(f64, f64)>,
    /// The points of each line.
    pub(super) ways: Vec<Vec<(f64, f64)>>,
}

/// Between two boxes in a row.
const GAP: f64 = 24.0;
/// Between two rows: room for the words at lines, three of them above each other.
const FALL: f64 = 60.0;
/// How wide the place is of a line that passes a row.
const PASSAGE: f64 = 12.0;
/// How often order and places are improved.
const ROUNDS: usize = 8;

/// What stands in a row: a node, or a line that passes it.
struct Cell {
    row: usize,
    width: f64,
    above: Vec<usize>,
    below: Vec<usize>,
}

/// Puts nodes of these sizes into rows; `edges` lead from what is waited for to what waits.
pub(super) fn lay_out(sizes: &[Size], edges: &[(usize, usize)]) -> Drawn {
    let rows_of = rows(sizes.len(), edges);
    let mut cells: Vec<Cell> = sizes
        .iter()
        .zip(&rows_of)
        .map(|(size, row)| Cell { row: *row, width: size.width, above: Vec::new(), below: Vec::new() })
        .collect();
    let passages: Vec<Vec<usize>> = edges.iter().map(|edge| connect(*edge, &mut cells)).collect();
    let count = cells.iter().map(|cell| cell.row + 1).max().unwrap_or(0);
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (at, cell) in cells.iter().enumerate() {
        rows[cell.row].push(at);
    }
    order(&cells, &mut rows);
    let centres = places(&cells, &rows);

    let mut tops = Vec::with_capacity(count);
    let mut heights = Vec::with_capacity(count);
    let mut y = 0.0;
    for row in &rows {
        let height = row.iter().filter_map(|at| sizes.get(*at)).map(|size| size.height).fold(0.0, f64::max);
        tops.push(y);
        heights.push(height);
        y += height + FALL;
    }
    let width = cells.iter().zip(&centres).map(|(cell, x)| x + cell.width / 2.0).fold(0.0, f64::max);
    let corners: Vec<(f64, f64)> =
        sizes.iter().enumerate().map(|(at, size)| (centres[at] - size.width / 2.0, tops[rows_of[at]])).collect();
    // Lines leave and arrive side by side, in the order of where they go on, so that they do not cross at the box.
    let port = |edge: usize, leaves: bool| {
        let node_of = |edge: usize| if leaves { edges[edge].0 } else { edges[edge].1 };
        let next = |edge: usize| {
            let (from, to) = edges[edge];
            let cell =
                if leaves { passages[edge].first().unwrap_or(&to) } else { passages[edge].last().unwrap_or(&from) };
            centres[*cell]
        };
        let node = node_of(edge);
        let mut beside: Vec<usize> = (0..edges.len()).filter(|other| node_of(*other) == node).collect();
        beside.sort_by(|a, b| next(*a).total_cmp(&next(*b)).then(a.cmp(b)));
        let at = beside.iter().position(|other| *other == edge).unwrap_or(0) as f64;
        let step = ((sizes[node].width - 32.0) / beside.len() as f64).clamp(2.0, 22.0);
        let x = centres[node] + (at - (beside.len() as f64 - 1.0) / 2.0) * step;
        (x, if leaves { tops[rows_of[node]] + sizes[node].height } else { tops[rows_of[node]] })
    };
    let ways = edges.iter().zip(&passages).enumerate().map(|(edge, ((from, to), passages))| {
        let mut way = vec![port(edge, true)];
        // What is lower than its row's highest first goes straight down to where the row ends.
        if rows_of[*to] > rows_of[*from] {
            way.push((way[0].0, tops[rows_of[*from]] + heights[rows_of[*from]]));
        }
        for passage in passages {
            let row = cells[*passage].row;
            way.extend([(centres[*passage], tops[row]), (centres[*passage], tops[row] + heights[row])]);
        }
        way.push(port(edge, false));
        way.dedup();
        way
    });
    let ways = ways.collect();
    Drawn { size: Size { width, height: (y - FALL).max(0.0) }, corners, ways }
}

/// The row of each node: the longest way to it. Where nodes wait for each other in a circle, the way ends somewhere.
fn rows(count: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut rows = vec![0; count];
    for _ in 0..count {
        let before = rows.clone();
        for (from, to) in edges {
            rows[*to] = rows[*to].max(rows[*from] + 1).min(count - 1);
        }
        if rows == before {
            break;
        }
    }
    rows
}

/// Ties the two ends of a line, by a place of its own in each row between; gives these.
fn connect((from, to): (usize, usize), cells: &mut Vec<Cell>) -> Vec<usize> {
    if cells[to].row <= cells[from].row {
        return Vec::new();
    }
    let mut passages = Vec::new();
    let mut last = from;
    for row in cells[from].row + 1..cells[to].row {
        let passage = cells.len();
        cells.push(Cell { row, width: PASSAGE, above: vec![last], below: Vec::new() });
        cells[last].below.push(passage);
        passages.push(passage);
        last = passage;
    }
    cells[last].below.push(to);
    cells[to].above.push(last);
    passages
}

/// Orders each row by the middle of what is tied to it, downwards and upwards by turns; the order with the fewest crossings
/// is kept.
fn order(cells: &[Cell], rows: &mut Vec<Vec<usize>>) {
    let mut best = (crossings(cells, rows), rows.clone());
    for round in 0..ROUNDS {
        let down = round % 2 == 0;
        let mut place = vec![0.0; cells.len()];
        let all: Vec<usize> = if down { (0..rows.len()).collect() } else { (0..rows.len()).rev().collect() };
        for row in all {
            let mut keyed: Vec<(f64, usize)> = rows[row]
                .iter()
                .enumerate()
                .map(|(at, cell)| {
                    let near = if down { &cells[*cell].above } else { &cells[*cell].below };
                    let sum: f64 = near.iter().map(|other| place[*other]).sum();
                    (if near.is_empty() { at as f64 } else { sum / near.len() as f64 }, *cell)
                })
                .collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            rows[row] = keyed.into_iter().map(|(_, cell)| cell).collect();
            for (at, cell) in rows[row].iter().enumerate() {
                place[*cell] = at as f64;
            }
        }
        let now = crossings(cells, rows);
        if now < best.0 {
            best = (now, rows.clone());
        }
    }
    *rows = best.1;
}

fn crossings(cells: &[Cell], rows: &[Vec<usize>]) -> usize {
    let mut place = vec![0; cells.len()];
    for row in rows {
        for (at, cell) in row.iter().enumerate() {
            place[*cell] = at;
        }
    }
    let mut crossings = 0;
    for row in rows {
        let lines: Vec<(usize, usize)> =
            row.iter().flat_map(|cell| cells[*cell].below.iter().map(|to| (place[*cell], place[*to]))).collect();
        for (at, one) in lines.iter().enumerate() {
            crossings += lines[at + 1..].iter().filter(|two| one.0 < two.0 && one.1 > two.1).count();
        }
    }
    crossings
}

/// The centre of each cell.
fn places(cells: &[Cell], rows: &[Vec<usize>]) -> Vec<f64> {
    let apart = |left: usize, right: usize| (cells[left].width + cells[right].width) / 2.0 + GAP;
    let mut centres = vec![0.0; cells.len()];
    for row in rows {
        let mut x = 0.0;
        for cell in row {
            centres[*cell] = x + cells[*cell].width / 2.0;
            x += cells[*cell].width + GAP;
        }
    }
    for round in 0..ROUNDS {
        let all: Vec<&Vec<usize>> = if round % 2 == 0 { rows.iter().collect() } else { rows.iter().rev().collect() };
        for row in all {
            let wanted = |cell: &usize| {
                let near: Vec<f64> =
                    cells[*cell].above.iter().chain(&cells[*cell].below).map(|other| centres[*other]).collect();
                if near.is_empty() { centres[*cell] } else { near.iter().sum::<f64>() / near.len() as f64 }
            };
            let wanted: Vec<f64> = row.iter().map(wanted).collect();
            // As far left and as far right as the order allows; in the middle of both, the order holds as well.
            let (mut left, mut right) = (wanted.clone(), wanted);
            for at in 1..row.len() {
                left[at] = left[at].max(left[at - 1] + apart(row[at - 1], row[at]));
            }
            for at in (1..row.len()).rev() {
                right[at - 1] = right[at - 1].min(right[at] - apart(row[at - 1], row[at]));
            }
            for (at, cell) in row.iter().enumerate() {
                centres[*cell] = (left[at] + right[at]) / 2.0;
            }
        }
    }
    let edge = cells.iter().zip(&centres).map(|(cell, x)| x - cell.width / 2.0).fold(f64::INFINITY, f64::min);
    centres.iter().map(|x| x - edge).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_leads_down_and_past_the_boxes_between() {
        let sizes = [Size { width: 100.0, height: 40.0 }; 4];
        let drawn = lay_out(&sizes, &[(0, 3), (0, 1), (1, 2), (2, 3)]);
        let tops: Vec<f64> = drawn.corners.iter().map(|corner| corner.1).collect();
        assert_eq!(tops, [0.0, 100.0, 200.0, 300.0]);
        for way in &drawn.ways {
            assert!(way.windows(2).all(|points| points[0].1 < points[1].1), "{way:?}");
        }
        for (corner, size) in drawn.corners[1..3].iter().zip(&sizes) {
            let long = &drawn.ways[0];
            assert!(long.iter().all(|(x, _)| *x < corner.0 || *x > corner.0 + size.width), "{long:?}");
        }
    }

    #[test]
    fn lines_do_not_cross_where_they_leave_a_box() {
        let sizes = [Size { width: 100.0, height: 40.0 }; 5];
        // 4 is pulled to the left of 3, and the way from 2 to 4 passes 3 on the right.
        let drawn = lay_out(&sizes, &[(0, 4), (1, 4), (2, 3), (2, 4), (3, 4)]);
        assert!(drawn.corners[4].0 < drawn.corners[3].0);
        let (near, far) = (&drawn.ways[2], &drawn.ways[3]);
        assert!(near[1].0 < far[1].0, "{near:?} {far:?}");
        assert!(near[0].0 < far[0].0, "{near:?} {far:?}");
    }
}
