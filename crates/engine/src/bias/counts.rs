//! The rows of a facet, counted: what every metric but the flip test follows from.

use std::collections::HashMap;

use rand_chacha::ChaCha8Rng;

use super::resampling::resample;
use crate::table::MISSING;

/// Up to so many cells are counted in an array, more in a map.
const ARRAY_CELLS: usize = 1 << 20;

/// Rows by observed and predicted label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcomes {
    pub(super) true_negatives: u64,
    pub(super) false_positives: u64,
    pub(super) false_negatives: u64,
    pub(super) true_positives: u64,
}

/// Which labels are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Observed,
    Predicted,
}

/// Rows of one class of the facet and one group.
#[derive(Clone, Copy, Debug)]
struct Cell {
    class: u32,
    /// [`MISSING`]: of no group.
    group: u32,
    outcomes: Outcomes,
}

/// The rows of a table by class of a facet, group, observed and predicted label.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    /// By class, then group.
    cells: Vec<Cell>,
    /// Where the cells of each class begin; one more for the end.
    starts: Vec<usize>,
    /// All rows of each group.
    groups: Vec<Outcomes>,
    all: Outcomes,
    has_groups: bool,
}

/// The rows of a sensitive group beside all others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sides<'a> {
    /// d: the sensitive group.
    pub(super) facet: Outcomes,
    /// a: all other rows.
    pub(super) complement: Outcomes,
    counts: &'a Counts,
    class: usize,
}

/// The columns that are counted, a value a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows<'a> {
    /// Classes of the facet, from 0; [`MISSING`] is in the complement of each.
    pub(super) classes: &'a [u32],
    /// Groups, from 0.
    pub(super) groups: Option<&'a [u32]>,
    pub(super) observed: &'a [bool],
    /// Absent: no metric of predictions is asked for, and all count as negative.
    pub(super) predicted: Option<&'a [bool]>,
}

impl Outcomes {
    pub(super) fn rows(self) -> u64 {
        self.true_negatives + self.false_positives + self.false_negatives + self.true_positives
    }

    pub(super) fn positives(self, stage: Stage) -> u64 {
        self.true_positives
            + match stage {
                Stage::Observed => self.false_negatives,
                Stage::Predicted => self.false_positives,
            }
    }

    pub(super) fn negatives(self, stage: Stage) -> u64 {
        self.rows() - self.positives(stage)
    }

    fn from_array([true_negatives, false_positives, false_negatives, true_positives]: [u64; 4]) -> Self {
        Self { true_negatives, false_positives, false_negatives, true_positives }
    }

    fn add(&mut self, other: Self) {
        self.true_negatives += other.true_negatives;
        self.false_positives += other.false_positives;
        self.false_negatives += other.false_negatives;
        self.true_positives += other.true_positives;
    }

    fn without(self, part: Self) -> Self {
        Self {
            true_negatives: self.true_negatives - part.true_negatives,
            false_positives: self.false_positives - part.false_positives,
            false_negatives: self.false_negatives - part.false_negatives,
            true_positives: self.true_positives - part.true_positives,
        }
    }
}

impl Counts {
    /// Counts rows of so many classes and groups.
    pub(super) fn of(rows: Rows<'_>, classes: usize, groups: usize) -> Self {
        // One more of each for rows without a class, and without a group.
        let width = groups + 1;
        let place = |row: usize| {
            let class = rows.classes[row].min(classes as u32) as usize;
            let group = rows.groups.map_or(groups, |codes| codes[row].min(groups as u32) as usize);
            let predicted = rows.predicted.is_some_and(|predicted| predicted[row]);
            (class * width + group, usize::from(rows.observed[row]) * 2 + usize::from(predicted))
        };
        let cell = |(place, outcomes): (usize, [u64; 4])| {
            let (class, group) = ((place / width) as u32, place % width);
            let group = if group == groups { MISSING } else { group as u32 };
            Cell { class, group, outcomes: Outcomes::from_array(outcomes) }
        };
        let cells = if (classes + 1).saturating_mul(width) <= ARRAY_CELLS {
            let mut counted = vec![[0_u64; 4]; (classes + 1) * width];
            for row in 0..rows.classes.len() {
                let (place, outcome) = place(row);
                counted[place][outcome] += 1;
            }
            let is_used = |(_, outcomes): &(usize, [u64; 4])| *outcomes != [0; 4];
            counted.into_iter().enumerate().filter(is_used).map(cell).collect()
        } else {
            let mut counted = HashMap::<usize, [u64; 4]>::new();
            for row in 0..rows.classes.len() {
                let (place, outcome) = place(row);
                counted.entry(place).or_default()[outcome] += 1;
            }
            let mut counted: Vec<_> = counted.into_iter().collect();
            counted.sort_unstable_by_key(|(place, _)| *place);
            counted.into_iter().map(cell).collect()
        };
        Self::of_cells(cells, classes, groups, rows.groups.is_some())
    }

    fn of_cells(cells: Vec<Cell>, classes: usize, groups: usize, has_groups: bool) -> Self {
        let starts = (0..=classes).map(|class| cells.partition_point(|cell| (cell.class as usize) < class)).collect();
        let mut counts =
            Self { cells, starts, groups: vec![Outcomes::default(); groups], all: Outcomes::default(), has_groups };
        counts.add_up();
        counts
    }

    fn add_up(&mut self) {
        self.all = Outcomes::default();
        self.groups.fill(Outcomes::default());
        for cell in &self.cells {
            self.all.add(cell.outcomes);
            if cell.group != MISSING {
                self.groups[cell.group as usize].add(cell.outcomes);
            }
        }
    }

    /// All rows.
    pub(super) fn all(&self) -> Outcomes {
        self.all
    }

    pub(super) fn has_groups(&self) -> bool {
        self.has_groups
    }

    /// One class beside all other rows.
    pub(super) fn sides(&self, class: usize) -> Sides<'_> {
        let mut facet = Outcomes::default();
        for cell in self.cells_of(class) {
            facet.add(cell.outcomes);
        }
        Sides { facet, complement: self.all.without(facet), counts: self, class }
    }

    fn cells_of(&self, class: usize) -> &[Cell] {
        &self.cells[self.starts[class]..self.starts[class + 1]]
    }

    /// As many rows drawn from these with replacement.
    pub(super) fn resampled(&self, random: &mut ChaCha8Rng) -> Self {
        let mut drawn = self.clone();
        let counts = drawn.cells.iter_mut().flat_map(|cell| {
            let Outcomes { true_negatives, false_positives, false_negatives, true_positives } = &mut cell.outcomes;
            [true_negatives, false_positives, false_negatives, true_positives]
        });
        resample(counts, self.all.rows(), random);
        drawn.add_up();
        drawn
    }
}

impl Sides<'_> {
    pub(super) fn counts(&self) -> &Counts {
        self.counts
    }

    /// The mean over groups, weighted by their rows, of the facet's share of the negatives less its share of the positives
    /// (section 3.3). A group without rows of the facet adds nothing but its weight.
    pub(super) fn conditional_disparity(&self, stage: Stage) -> f64 {
        let mut sum = 0.0;
        for cell in self.counts.cells_of(self.class).iter().filter(|cell| cell.group != MISSING) {
            let group = self.counts.groups[cell.group as usize];
            let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
            let of_negatives = share(cell.outcomes.negatives(stage), group.negatives(stage));
            let of_positives = share(cell.outcomes.positives(stage), group.positives(stage));
            sum += group.rows() as f64 * (of_negatives - of_positives);
        }
        let rows: u64 = self.counts.groups.iter().map(|group| group.rows()).sum();
        if rows == 0 { 0.0 } else { sum / rows as f64 }
    }
}
