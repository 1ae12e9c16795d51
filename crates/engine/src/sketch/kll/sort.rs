//! Sorting for a compaction, where nearly all the time of a sketch goes.
//!
//! The lowest level holds values as they came. They are spread over equally wide buckets, which leaves hardly anything
//! to do for an insertion sort: 4.2 ns an item for random doubles, against 9.4 of `sort_unstable` on integer images,
//! 10.2 of a radix sort of the images by bytes, 20 of `sort_unstable_by(total_cmp)`. With few distinct values,
//! `sort_unstable` on images is best (2.7 ns against 6). The levels above hold a few sorted runs: merging them takes 1.9
//! ns an item, the standard library's stable sort 4 to 5.
//!
//! All comparisons are those of numbers, for speed; zeros get their order in the end. The working memory is allocated
//! for each compaction (0.1 ns an item), so that a sketch at rest holds nothing but its items.

/// Buckets that items are spread over: about two for each item of a full level.
const BUCKETS: usize = 4096;
/// A bucket with as many items is not left to the insertion sort. A power of two: one is reached by a count when it is
/// by all of them joined with "or".
const TOO_MANY_FOR_INSERTION: u16 = 32;
/// A bucket with more items than this is spread again.
const MOST_FOR_COMPARISONS: usize = 64;
/// How often items are spread: a few values far from the others, or many orders of magnitude, fill a single bucket.
/// Bounded because some data would fill single buckets a hundred times.
const SPREADS: u32 = 3;
/// More sorted runs than these are sorted as if there were none.
const MOST_RUNS: usize = 8;
/// Runs are merged in so many parts at a time: every step of a merge waits for the one before, but not for the steps of
/// other parts.
const PARTS: usize = 3;

/// Sorts `items`, an even number of them, with -0.0 before 0.0 and appends the first or the second of each pair of
/// neighbours to `output`.
pub(super) fn append_every_second(items: &[f64], keep_second: bool, output: &mut Vec<f64>) {
    let mut sorted = match run_ends(items) {
        Some(ends) => merge_runs(items, ends),
        None if has_few_values(items) => sort_images(items),
        None => sort(items, SPREADS),
    };
    order_zeros(&mut sorted);
    output.extend(sorted.chunks_exact(2).map(|pair| pair[usize::from(keep_second)]));
}

fn order_zeros(sorted: &mut [f64]) {
    let start = sorted.partition_point(|&item| item < 0.0);
    let end = sorted.partition_point(|&item| item <= 0.0);
    let zeros = &mut sorted[start..end];
    let negative = zeros.iter().filter(|zero| zero.is_sign_negative()).count();
    if negative > 0 {
        zeros[..negative].fill(-0.0);
        zeros[negative..].fill(0.0);
    }
}

/// Where the ascending runs end; none when there are many.
fn run_ends(items: &[f64]) -> Option<Vec<usize>> {
    // Counted by blocks, which takes vector instructions; a block has a descent once in a run.
    const BLOCK: usize = 16;
    let descends = |(item, next): (&f64, &f64)| next < item;
    let mut ends = Vec::with_capacity(MOST_RUNS);
    let nexts = items.get(1..).unwrap_or_default();
    for (block, (items, nexts)) in items.chunks(BLOCK).zip(nexts.chunks(BLOCK)).enumerate() {
        if items.iter().zip(nexts).filter(|&pair| descends(pair)).count() == 0 {
            continue;
        }
        for (index, pair) in items.iter().zip(nexts).enumerate() {
            if descends(pair) {
                ends.push(block * BLOCK + index + 1);
            }
        }
        if ends.len() >= MOST_RUNS {
            return None;
        }
    }
    ends.push(items.len());
    Some(ends)
}

/// Merges neighbouring runs until one is left.
fn merge_runs(items: &[f64], mut ends: Vec<usize>) -> Vec<f64> {
    let mut sorted = items.to_vec();
    if ends.len() == 1 {
        return sorted;
    }
    let mut merged = vec![0.0; items.len()];
    while ends.len() > 1 {
        let mut start = 0;
        for pair in ends.chunks(2) {
            let (middle, end) = (pair[0], pair[pair.len() - 1]);
            merge(&sorted[start..middle], &sorted[middle..end], &mut merged[start..end]);
            start = end;
        }
        ends = ends.chunks(2).map(|pair| pair[pair.len() - 1]).collect();
        std::mem::swap(&mut sorted, &mut merged);
    }
    sorted
}

/// One of the parts of a merge: what is still to be taken from either side, and the place where it goes.
#[derive(Clone, Copy, Default)]
struct Part {
    left: usize,
    left_end: usize,
    right: usize,
    right_end: usize,
    place: usize,
}

impl Part {
    /// The part that makes the merged items from `start` to `end`.
    fn between(start: usize, end: usize, left: &[f64], right: &[f64]) -> Self {
        let (from, to) = (taken_from_left(start, left, right), taken_from_left(end, left, right));
        Self { left: from, left_end: to, right: start - from, right_end: end - to, place: start }
    }

    /// Steps that can be made before a side may be used up.
    fn steps(&self) -> usize {
        (self.left_end - self.left).min(self.right_end - self.right)
    }

    #[inline]
    fn step(&mut self, left: &[f64], right: &[f64], output: &mut [f64]) {
        let (left, right) = (left[self.left], right[self.right]);
        let takes_right = right < left;
        output[self.place] = if takes_right { right } else { left };
        self.right += usize::from(takes_right);
        self.left += usize::from(!takes_right);
        self.place += 1;
    }
}

/// How many of the first `taken` items of a merge come from the left.
fn taken_from_left(taken: usize, left: &[f64], right: &[f64]) -> usize {
    let (mut low, mut high) = (taken.saturating_sub(right.len()), taken.min(left.len()));
    while low < high {
        let middle = low.midpoint(high);
        if left[middle] <= right[taken - middle - 1] {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

fn merge(left: &[f64], right: &[f64], output: &mut [f64]) {
    let bound = |part: usize| output.len() * part / PARTS;
    let mut parts: [Part; PARTS] = std::array::from_fn(|part| Part::between(bound(part), bound(part + 1), left, right));
    loop {
        let steps = parts.iter().map(Part::steps).min().unwrap_or(0);
        if steps == 0 {
            break;
        }
        for _ in 0..steps {
            for part in &mut parts {
                part.step(left, right, output);
            }
        }
    }
    for mut part in parts {
        while part.steps() > 0 {
            part.step(left, right, output);
        }
        let rest = left[part.left..part.left_end].iter().chain(&right[part.right..part.right_end]);
        for (place, &item) in output[part.place..].iter_mut().zip(rest) {
            *place = item;
        }
    }
}

/// Whether a sample of the items is mostly repetitions.
fn has_few_values(items: &[f64]) -> bool {
    const SAMPLE: usize = 16;
    if items.len() < SAMPLE {
        return false;
    }
    let mut sample: [f64; SAMPLE] = std::array::from_fn(|index| items[index * (items.len() / SAMPLE)]);
    insertion_sort(&mut sample);
    sample.windows(2).filter(|pair| pair[0] < pair[1]).count() < SAMPLE / 2
}

/// Sorts whatever the items are, by integers that compare like the doubles in total order.
fn sort_images(items: &[f64]) -> Vec<f64> {
    let flip = |bits: i64| bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed();
    let mut images: Vec<i64> = items.iter().map(|item| flip(item.to_bits().cast_signed())).collect();
    images.sort_unstable();
    images.into_iter().map(|image| f64::from_bits(flip(image).cast_unsigned())).collect()
}

/// Sorts by spreading the items over buckets.
fn sort(items: &[f64], spreads: u32) -> Vec<f64> {
    let (low, high) = extremes(items);
    let scale = (BUCKETS - 1) as f64 / (high - low);
    let can_spread = scale > 0.0 && scale.is_finite() && u16::try_from(items.len()).is_ok();
    // Infinities, equal items and levels that no fold has made cannot.
    if spreads == 0 || !can_spread {
        return sort_images(items);
    }
    // A larger item never gets a lower bucket, as rounding is monotonic. Added to 2^52, a number is rounded to an
    // integer which the last bits hold: the only conversion that baseline vector instructions have.
    let bucket = |&item: &f64| ((item - low) * scale + (1_u64 << 52) as f64).to_bits() as u16;
    let buckets: Vec<u16> = items.iter().map(bucket).collect();
    let mut counts = [0; BUCKETS];
    for &bucket in &buckets {
        counts[usize::from(bucket) % BUCKETS] += 1;
    }
    let has_large = counts.iter().fold(0, |joined, &count| joined | count) >= TOO_MANY_FOR_INSERTION;
    let mut places = counts;
    let mut place = 0;
    for start in &mut places {
        place += std::mem::replace(start, place);
    }
    let mut sorted = vec![0.0; items.len()];
    for (&item, &bucket) in items.iter().zip(&buckets) {
        let place = &mut places[usize::from(bucket) % BUCKETS];
        sorted[usize::from(*place)] = item;
        *place += 1;
    }
    if has_large {
        // Every place has moved to the end of its bucket.
        sort_large_buckets(&mut sorted, &places, spreads - 1);
    }
    insertion_sort(&mut sorted);
    sorted
}

/// The smallest and the largest item.
fn extremes(items: &[f64]) -> (f64, f64) {
    // Four at a time, so that no comparison waits for the one before.
    let (mut lows, mut highs) = ([f64::INFINITY; 4], [f64::NEG_INFINITY; 4]);
    let (fours, rest) = items.as_chunks::<4>();
    for four in fours {
        for lane in 0..4 {
            lows[lane] = if four[lane] < lows[lane] { four[lane] } else { lows[lane] };
            highs[lane] = if four[lane] > highs[lane] { four[lane] } else { highs[lane] };
        }
    }
    let low = lows.iter().chain(rest).copied().fold(f64::INFINITY, f64::min);
    let high = highs.iter().chain(rest).copied().fold(f64::NEG_INFINITY, f64::max);
    (low, high)
}

#[cold]
fn sort_large_buckets(items: &mut [f64], ends: &[u16], spreads: u32) {
    let mut start = 0;
    for &end in ends {
        let bucket = &mut items[start..usize::from(end)];
        start = usize::from(end);
        if bucket.len() < usize::from(TOO_MANY_FOR_INSERTION) || bucket.is_sorted() {
            continue;
        }
        if bucket.len() > MOST_FOR_COMPARISONS {
            let sorted = sort(bucket, spreads);
            bucket.copy_from_slice(&sorted);
        } else {
            bucket.sort_unstable_by(f64::total_cmp);
        }
    }
}

/// For items of which each is near its place.
fn insertion_sort(items: &mut [f64]) {
    for index in 1..items.len() {
        let item = items[index];
        let mut place = index;
        while place > 0 && items[place - 1] > item {
            items[place] = items[place - 1];
            place -= 1;
        }
        items[place] = item;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// Numbers that fall into few buckets, into many, outside of all; equal ones and zeros of both signs.
    fn items() -> impl Strategy<Value = Vec<f64>> {
        let number = prop_oneof![
            4 => -1.0_f64..1.0,
            2 => (-300_i32..300).prop_map(|exponent| 10_f64.powi(exponent)),
            2 => (-20_i32..20).prop_map(f64::from),
            1 => Just(0.0),
            1 => Just(-0.0),
        ];
        let run = (vec(number, 1..1_500), any::<bool>()).prop_map(|(mut run, sorted)| {
            if sorted {
                run.sort_by(|left, right| left.partial_cmp(right).expect("no NaN among them"));
            }
            run
        });
        let infinity = prop_oneof![8 => Just(None), 1 => Just(Some(f64::INFINITY)), 1 => Just(Some(f64::MIN))];
        (vec(run, 1..5), infinity).prop_map(|(runs, infinity)| {
            let mut items = runs.concat();
            items.extend(infinity);
            items.truncate(items.len() & !1);
            items
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn keeps_what_a_sort_by_total_order_keeps(items in items(), keep_second: bool) {
            let mut sorted = items.clone();
            sorted.sort_by(f64::total_cmp);
            let expected: Vec<u64> =
                sorted.iter().skip(usize::from(keep_second)).step_by(2).map(|item| item.to_bits()).collect();
            let mut output = Vec::new();
            append_every_second(&items, keep_second, &mut output);
            prop_assert_eq!(output.iter().map(|item| item.to_bits()).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn sorts_more_items_than_a_fold_ever_stores() {
        let items: Vec<f64> = (0..70_000).map(|i| f64::from((i * 7_919) % 70_001)).collect();
        let mut sorted = items.clone();
        sorted.sort_by(f64::total_cmp);
        let mut output = Vec::new();
        append_every_second(&items, false, &mut output);
        assert_eq!(output, sorted.into_iter().step_by(2).collect::<Vec<_>>());
    }
}
