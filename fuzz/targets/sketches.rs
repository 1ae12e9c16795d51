//! Any bytes as the written state of a sketch, and any values as those of a column, split anywhere: states that are read are
//! written the same, can be asked and merged, and stand for as many values as were put in.

#![no_main]

use libfuzzer_sys::fuzz_target;
use watchkeeper_engine::encoding::{DecodeError, Reader, Writer};
use watchkeeper_engine::sketch::{Categories, HyperLogLog, Kll, Moments, hash};

/// Declares what the four states have in common.
trait State: Sized {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;
    fn write(&self, writer: &mut Writer);
    fn join(&mut self, other: &Self);
    fn ask(&self);
}

macro_rules! state {
    ($state:ty, |$this:ident| $ask:block) => {
        impl State for $state {
            fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Self::decode(reader)
            }
            fn write(&self, writer: &mut Writer) {
                self.encode(writer);
            }
            fn join(&mut self, other: &Self) {
                self.merge(other);
            }
            fn ask(&self) {
                let $this = self;
                $ask
            }
        }
    };
}

state!(Kll, |sketch| {
    let ranks = sketch.ranks();
    for quantile in [0.0, 0.25, 0.5, 1.0] {
        assert_eq!(ranks.quantile(quantile).is_some(), !sketch.is_empty());
    }
    let buckets = sketch.buckets(-1.0, 1.0);
    assert_eq!(buckets.len(), 10);
    assert_eq!(ranks.total(), sketch.count());
});
state!(HyperLogLog, |sketch| {
    let _ = (sketch.estimate(), sketch.exceeds_category_limit());
});
state!(Moments, |moments| {
    let _ = (moments.count(), moments.sum(), moments.std_dev(), moments.min(), moments.max());
});
state!(Categories, |categories| {
    assert_eq!(categories.iter().count(), categories.len());
});

fuzz_target!(|content: &[u8]| {
    let Some((kind, rest)) = content.split_first() else { return };
    match kind % 5 {
        0 => written::<Kll>(rest),
        1 => written::<HyperLogLog>(rest),
        2 => written::<Moments>(rest),
        3 => written::<Categories>(rest),
        _ => folded(rest),
    }
});

fn bytes_of<S: State>(state: &S) -> Vec<u8> {
    let mut writer = Writer::new();
    state.write(&mut writer);
    writer.finish()
}

fn written<S: State>(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let Ok(mut state) = S::read(&mut reader) else { return };
    state.ask();
    let again = bytes_of(&state);
    let mut reader = Reader::new(&again);
    let mut same = S::read(&mut reader).expect("what we write can be read");
    reader.finish().expect("and nothing is left of it");
    assert_eq!(bytes_of(&same), again);
    state.join(&same);
    state.ask();
    same.join(&state);
    same.ask();
}

/// The first byte says after how many values the column is split.
fn folded(bytes: &[u8]) {
    let Some((split, bytes)) = bytes.split_first() else { return };
    let (chunks, _) = bytes.as_chunks::<8>();
    let values = chunks.iter().map(|chunk| f64::from_le_bytes(*chunk)).filter(|value| !value.is_nan());
    let (mut quantiles, mut distinct) = ([Kll::new(), Kll::new()], [HyperLogLog::new(), HyperLogLog::new()]);
    let (mut moments, mut categories) = ([Moments::new(), Moments::new()], [Categories::new(), Categories::new()]);
    let mut count = 0_u64;
    for (number, value) in values.enumerate() {
        let part = usize::from(number >= usize::from(*split));
        let text = value.to_string();
        quantiles[part].add(value);
        distinct[part].add_hash(hash(text.as_bytes()));
        moments[part].add(value);
        categories[part].add(hash(text.as_bytes()), text.as_bytes());
        count += 1;
    }
    let [mut sketch, other] = quantiles;
    sketch.merge(&other);
    assert_eq!(sketch.count(), count, "no value is lost");
    sketch.ask();
    let [mut one, other] = distinct;
    one.merge(&other);
    assert!(count == 0 || one.estimate() >= 1);
    let [mut one, other] = moments;
    one.merge(&other);
    assert_eq!(one.count(), count);
    let [mut one, other] = categories;
    one.merge(&other);
    assert_eq!(one.iter().map(|(_, times)| times).sum::<u64>(), count);
}
