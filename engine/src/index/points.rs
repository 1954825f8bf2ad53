//! The entries of points: places on a curve through a grid, so that what lies close together mostly stands close together.
//!
//! A point's coordinates are cut to -180..180 and -90..90 and made 32-bit each; their bits in turn, x first, are the entry's
//! 8 bytes, big-endian (a Z-order curve). A box is covered by a few ranges of the curve, which may hold more than the box.

/// A box: least x, least y, greatest x, greatest y.
pub(crate) type Area = [f64; 4];

/// Most ranges for a box.
const RANGES_MAX: usize = 64;

/// The entry of a point.
pub(crate) fn point_entry(x: f64, y: f64) -> Vec<u8> {
    place(x, y).to_be_bytes().to_vec()
}

/// The entry of a place that is more than a point: behind those of all points.
pub(crate) fn shape_entry() -> Vec<u8> {
    vec![0xff; 9]
}

/// Ranges of entries, from one on and before another, that hold every point of the box and every shape; in order, apart.
pub(crate) fn point_ranges(area: Area) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut cells: Vec<Cell> = vec![Cell { x: 0, y: 0, level: 0 }];
    let area = grid(area);
    loop {
        let mut finer = Vec::with_capacity(cells.len() * 4);
        let mut split = false;
        for cell in &cells {
            if cell.level == 32 || cell.lies_within(&area) {
                finer.push(*cell);
                continue;
            }
            split = true;
            finer.extend(cell.quarters().filter(|cell| cell.meets(&area)));
        }
        if !split || finer.len() > RANGES_MAX {
            break;
        }
        cells = finer;
    }
    let mut ranges: Vec<(u64, Option<u64>)> = cells.iter().map(Cell::range).collect();
    ranges.sort_unstable();
    let mut joined: Vec<(u64, Option<u64>)> = Vec::new();
    for (from, to) in ranges {
        match joined.last_mut() {
            Some(last) if last.1 == Some(from) => last.1 = to,
            _ => joined.push((from, to)),
        }
    }
    let end = |to: Option<u64>| to.map_or_else(|| vec![0xff; 9], |to| to.to_be_bytes().to_vec());
    let points = joined.into_iter().map(|(from, to)| (from.to_be_bytes().to_vec(), end(to)));
    points.chain([(shape_entry(), vec![0xff; 10])]).collect()
}

/// A square of the grid: its least corner, and how often the whole was halved.
#[derive(Clone, Copy)]
struct Cell {
    x: u32,
    y: u32,
    level: u32,
}

impl Cell {
    fn last(self) -> (u32, u32) {
        let size = if self.level == 0 { u32::MAX } else { (1_u64 << (32 - self.level)) as u32 - 1 };
        (self.x + size, self.y + size)
    }

    fn meets(self, area: &[u32; 4]) -> bool {
        let (x, y) = self.last();
        self.x <= area[2] && x >= area[0] && self.y <= area[3] && y >= area[1]
    }

    fn lies_within(self, area: &[u32; 4]) -> bool {
        let (x, y) = self.last();
        self.x >= area[0] && x <= area[2] && self.y >= area[1] && y <= area[3]
    }

    fn quarters(self) -> impl Iterator<Item = Self> {
        let half = 1_u32 << (31 - self.level);
        let level = self.level + 1;
        [(0, 0), (0, half), (half, 0), (half, half)].into_iter().map(move |(x, y)| Self {
            x: self.x + x,
            y: self.y + y,
            level,
        })
    }

    /// Its part of the curve; `None`: to the end.
    fn range(&self) -> (u64, Option<u64>) {
        let from = interleave(self.x, self.y);
        let to = if self.level == 0 { None } else { from.checked_add(1 << (64 - 2 * self.level)) };
        (from, to)
    }
}

fn grid(area: Area) -> [u32; 4] {
    let (x, y) = cell_of(area[0], area[1]);
    let (far_x, far_y) = cell_of(area[2], area[3]);
    [x, y, far_x, far_y]
}

fn place(x: f64, y: f64) -> u64 {
    let (x, y) = cell_of(x, y);
    interleave(x, y)
}

fn cell_of(x: f64, y: f64) -> (u32, u32) {
    // A cast of what is too large, too small or no number gives the nearest, or 0.
    let scale = |part: f64| (part * f64::from(u32::MAX)) as u32;
    (scale((x + 180.0) / 360.0), scale((y + 90.0) / 180.0))
}

fn interleave(x: u32, y: u32) -> u64 {
    spread(x) << 1 | spread(y)
}

/// The bits of a number with a 0 before each.
fn spread(number: u32) -> u64 {
    let mut spread = u64::from(number);
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ] {
        spread = (spread | spread << shift) & mask;
    }
    spread
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    #[test]
    fn every_point_of_a_box_lies_in_its_ranges() {
        let mut random = StdRng::seed_from_u64(7);
        for _ in 0..200 {
            let mut corner =
                || (random.random_range(-190.0..190.0), random.random_range(-95.0..95.0));
            let ((a, b), (c, d)): ((f64, f64), (f64, f64)) = (corner(), corner());
            let area = [a.min(c), b.min(d), a.max(c), b.max(d)];
            let ranges = point_ranges(area);
            assert!(ranges.len() <= RANGES_MAX + 1);
            for _ in 0..50 {
                let x = random.random_range(area[0]..=area[2]);
                let y = random.random_range(area[1]..=area[3]);
                let entry = point_entry(x, y);
                assert!(ranges.iter().any(|(from, to)| *from <= entry && entry < *to), "{x} {y}");
            }
        }
    }

    #[test]
    fn a_small_box_leaves_most_points_out() {
        let ranges = point_ranges([10.0, 10.0, 10.5, 10.5]);
        let mut random = StdRng::seed_from_u64(8);
        let inside = (0..10_000).filter(|_| {
            let entry =
                point_entry(random.random_range(-180.0..180.0), random.random_range(-90.0..90.0));
            ranges.iter().any(|(from, to)| *from <= entry && entry < *to)
        });
        assert!(inside.count() < 20);
    }
}
