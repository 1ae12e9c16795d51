//! More records than memory holds, in order and sorted. The referee is the standard library's sort.

use proptest::prelude::*;
use watchkeeper_data::Error;
use watchkeeper_data::spill::{RecordLog, Sorter};

use crate::table::Folder;

/// Files of the folder, of which a spill leaves none.
fn files_in(folder: &Folder) -> usize {
    std::fs::read_dir(folder.path()).unwrap().count()
}

fn logged<const N: usize>(folder: &Folder, budget: usize, records: &[[u8; N]]) -> [Vec<[u8; N]>; 2] {
    let mut log = RecordLog::new(folder.path(), budget);
    for &record in records {
        log.push(record).unwrap();
    }
    [(); 2].map(|()| {
        let mut taken = Vec::new();
        log.for_each(&mut |record| {
            taken.push(record);
            Ok(())
        })
        .unwrap();
        assert_eq!(files_in(folder), 0, "files of a log have no name");
        taken
    })
}

fn sorted<const N: usize>(folder: &Folder, budget: usize, records: &[[u8; N]]) -> [Vec<[u8; N]>; 2] {
    let mut sorter = Sorter::new(folder.path(), budget);
    for &record in records {
        sorter.push(record).unwrap();
    }
    sorter.sort().unwrap();
    [(); 2].map(|()| {
        let mut taken = Vec::new();
        sorter
            .for_each(&mut |record| {
                taken.push(record);
                Ok(())
            })
            .unwrap();
        assert_eq!(files_in(folder), 0, "files of a sorter have no name");
        taken
    })
}

/// Records in a fixed disorder.
fn disordered<const N: usize>(count: usize) -> Vec<[u8; N]> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..count).map(|_| std::array::from_fn(|_| byte())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_sorter_sorts_with_any_budget(
        records in proptest::collection::vec(any::<[u8; 10]>(), 0..700),
        budget in 0_usize..8_000,
    ) {
        let folder = Folder::new();
        let mut expected = records.clone();
        expected.sort_unstable();
        prop_assert_eq!(sorted(&folder, budget, &records), [expected.clone(), expected]);
    }

    /// Few values, so that many records are equal.
    #[test]
    fn records_of_other_sizes_are_sorted_likewise(
        records in proptest::collection::vec(proptest::array::uniform20(0_u8..2), 0..300),
        short in proptest::collection::vec(proptest::array::uniform1(0_u8..3), 0..300),
        budget in 0_usize..4_000,
    ) {
        let folder = Folder::new();
        let mut expected = records.clone();
        expected.sort_unstable();
        prop_assert_eq!(sorted(&folder, budget, &records)[0].clone(), expected);
        let mut expected = short.clone();
        expected.sort_unstable();
        prop_assert_eq!(sorted(&folder, budget, &short)[0].clone(), expected);
    }

    #[test]
    fn a_log_returns_what_was_pushed(
        records in proptest::collection::vec(any::<[u8; 16]>(), 0..500),
        budget in 0_usize..10_000,
    ) {
        let folder = Folder::new();
        prop_assert_eq!(logged(&folder, budget, &records), [records.clone(), records]);
    }
}

/// More than a block goes to the file, and more follows it.
#[test]
fn a_long_log_is_read_block_by_block() {
    let records = disordered::<16>(200_001);
    let folder = Folder::new();
    assert!(logged(&folder, 16 * 1000, &records) == [records.clone(), records]);
}

/// More pieces than are merged at once: two hundred thousand records in some thirteen hundred.
#[test]
fn many_pieces_are_merged_in_steps() {
    let records = disordered::<10>(200_000);
    let mut expected = records.clone();
    expected.sort_unstable();
    let folder = Folder::new();
    assert!(sorted(&folder, 1_500, &records) == [expected.clone(), expected]);
}

#[test]
fn what_fits_touches_no_folder() {
    let nowhere = std::path::Path::new("/nowhere/at/all");
    let mut log = RecordLog::new(nowhere, 40);
    let mut sorter = Sorter::new(nowhere, 40);
    for byte in (0..10).rev() {
        log.push([byte; 4]).unwrap();
        sorter.push([byte; 4]).unwrap();
    }
    sorter.sort().unwrap();
    assert_eq!(sorter.push([1; 4]).unwrap_err().to_string(), "/nowhere/at/all: no such file or folder");
}

#[test]
fn an_error_of_the_caller_ends_the_reading() {
    let folder = Folder::new();
    let mut log = RecordLog::new(folder.path(), 0);
    (0..5).for_each(|byte| log.push([byte; 4]).unwrap());
    let mut taken = 0;
    let error = log.for_each(&mut |[byte, ..]| {
        taken += 1;
        if byte == 2 { Err(Error::Missing("here".into())) } else { Ok(()) }
    });
    assert_eq!(error.unwrap_err().to_string(), "here: no such file or folder");
    assert_eq!(taken, 3);
}
