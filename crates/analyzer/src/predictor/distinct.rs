//! Equal records, which are asked for once: synthetic rows of Kernel SHAP often are.

use std::collections::HashMap;

use watchkeeper_engine::prediction::Answer;

use super::cells::Records;

/// Records, of which equal ones are asked for once.
pub(super) struct Distinct {
    /// The place of the first of each.
    pub firsts: Vec<usize>,
    /// Which of the distinct ones each record is.
    pub of_record: Vec<u32>,
    /// How many records each stands for.
    pub counts: Vec<u32>,
}

impl Distinct {
    pub(super) fn of(records: &Records) -> Self {
        let mut known: HashMap<&[u8], u32> = HashMap::with_capacity(records.len());
        let mut distinct =
            Self { firsts: Vec::new(), of_record: Vec::with_capacity(records.len()), counts: Vec::new() };
        for place in 0..records.len() {
            let which = *known.entry(records.record(place)).or_insert_with(|| {
                distinct.firsts.push(place);
                distinct.counts.push(0);
                (distinct.firsts.len() - 1) as u32
            });
            distinct.counts[which as usize] += 1;
            distinct.of_record.push(which);
        }
        distinct
    }

    /// What there is for each of the distinct records, for all of them.
    pub(super) fn spread(&self, mut answers: Vec<Option<Answer>>) -> Vec<Option<Answer>> {
        if self.firsts.len() == self.of_record.len() {
            return answers;
        }
        let mut left = self.counts.clone();
        let spread = self.of_record.iter().map(|place| {
            let place = *place as usize;
            left[place] -= 1;
            // The last one takes it, the others have copies.
            if left[place] == 0 { answers[place].take() } else { answers[place].clone() }
        });
        spread.collect()
    }
}
