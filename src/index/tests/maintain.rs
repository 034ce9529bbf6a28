//! Seals, merges, accounting and files.

use super::*;

#[test]
fn searches_while_it_grows_is_sealed_and_merged() {
    let all = vectors(4_000, 16, 5);
    let index = SpaceIndex::new(16, Metric::Cosine, Codes::Int8);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for batch in rows(&all).chunks(97) {
                index.insert(batch);
                index.extend_growing_graph(1);
                if index.members().len() % 1_000 < 97 {
                    seal_all(&index);
                }
            }
        });
        while !writer.is_finished() {
            let members = index.members();
            let (found, _) = search(&index, &all[3], &members, top(10));
            check_form(&found, 10.min(members.len() as usize), &members);
        }
    });
    assert_eq!(index.members().len(), 4_000);
}

#[test]
fn a_cancelled_build_leaves_everything_searchable() {
    let all = vectors(3_000, 8, 9);
    let index = SpaceIndex::new(8, Metric::L2, Codes::Int8);
    index.insert(&rows(&all)[..2_500]);
    let job = index
        .plan(&RoaringBitmap::new(), JobKind::All, MemoryBudget::UNLIMITED)
        .unwrap();
    let progress = Progress::default();
    progress.cancel();
    assert!(matches!(
        index.build(&job, None, &progress),
        Err(Error::Cancelled)
    ));
    drop(job);
    index.insert(&rows(&all)[2_500..]);
    let members = index.members();
    let truth = naive(Metric::L2, &all[2_999], 5, &all, &members);
    let nearest = || search(&index, &all[2_999], &members, exact(5)).0;
    assert_eq!(nearest(), truth);
    seal_all(&index);
    assert_eq!(index.stats().segments, 1);
    assert_eq!(index.stats().unsealed, 0);
    assert_eq!(nearest(), truth);
}

#[test]
fn segments_are_merged_by_size_without_dead_vectors() {
    let all = vectors(45_000, 4, 10);
    let index = SpaceIndex::new(4, Metric::L2, Codes::Int8);
    let step_in = |work, room, dead: &RoaringBitmap| {
        let job = index.plan(dead, work, room)?;
        let built = index.build(&job, None, &Progress::default()).unwrap();
        index.finish(job, built);
        Some(index.stats())
    };
    let step = |work, dead: &RoaringBitmap| step_in(work, MemoryBudget::UNLIMITED, dead);
    let none = RoaringBitmap::new();
    index.insert(&rows(&all)[..30_000]);
    assert_eq!(step(JobKind::Seal, &none).unwrap().segments, 1);
    assert!(step(JobKind::Seal, &none).is_none(), "nothing to do");
    assert!(step(JobKind::Merge, &none).is_none());
    index.insert(&rows(&all)[30_000..41_000]);
    assert_eq!(step(JobKind::Seal, &none).unwrap().segments, 2);
    assert!(
        step(JobKind::Merge, &none).is_none(),
        "30,000 is more than twice 11,000"
    );
    index.insert(&rows(&all)[41_000..]);
    assert!(
        step(JobKind::Seal, &none).is_none(),
        "4,000 are not worth a seal yet"
    );
    let dead: RoaringBitmap = (0..30_000).filter(|i| i % 3 == 0).collect();
    assert_eq!(step(JobKind::Merge, &dead).unwrap().sealed, 20_000 + 11_000);
    assert_eq!(index.members().len(), 35_000);
    assert!(index.vector(3).is_none() && index.vector(4).is_some());
    assert!(
        step_in(
            JobKind::Merge,
            MemoryBudget {
                max_merge_vectors: 30_999,
                is_short: false
            },
            &none
        )
        .is_none(),
        "20,000 and 11,000 together are too many"
    );
    assert_eq!(step(JobKind::Merge, &none).unwrap().segments, 1);

    // Memory is short: everything that can be freed is.
    let short = MemoryBudget {
        max_merge_vectors: u64::MAX,
        is_short: true,
    };
    assert_eq!(step_in(JobKind::Seal, short, &none).unwrap().unsealed, 0);
    let few: RoaringBitmap = (30_000..31_000).collect();
    assert!(step(JobKind::Merge, &few).is_none());
    assert_eq!(step_in(JobKind::Merge, short, &few).unwrap().sealed, 34_000);
}

#[test]
fn what_is_accounted_is_what_is_there() {
    let all = vectors(6_000, 32, 12);
    let index = SpaceIndex::new(32, Metric::L2, Codes::Int8);
    index.insert(&rows(&all));
    let growing = index.stats();
    assert_eq!(
        growing.unsealed_bytes,
        6_000 * index.unsealed_vector_bytes()
    );
    assert_eq!((growing.growing_bytes, growing.sealed_bytes), (0, 0));
    let none = RoaringBitmap::new();
    let half: RoaringBitmap = (0..3_000).collect();
    let expected = index.settled_bytes(&none, 0);
    assert_eq!(index.settled_bytes(&half, 0), expected / 2);
    extend_graph(&index);
    assert!(index.stats().growing_bytes > 6_000 * 32 * 4);
    let folder = tempfile::tempdir().unwrap();
    let job = index
        .plan(&RoaringBitmap::new(), JobKind::All, MemoryBudget::UNLIMITED)
        .unwrap();
    let path = folder.path().join("segment.seg");
    let built = index
        .build(&job, Some(&path), &Progress::default())
        .unwrap();
    index.finish(job, built);
    let sealed = index.stats();
    assert_eq!((sealed.unsealed_bytes, sealed.growing_bytes), (0, 0));
    let error = sealed.sealed_bytes.abs_diff(expected) as f64 / expected as f64;
    assert!(
        error < 0.1,
        "{} is not about {expected}",
        sealed.sealed_bytes
    );
    // A segment that may not be rebuilt keeps its dead vectors.
    let settled = |most| index.settled_bytes(&half, most);
    assert_eq!(settled(5_999), sealed.sealed_bytes);
    assert!(settled(6_000) < sealed.sealed_bytes * 6 / 10);
}

#[test]
fn files_keep_an_index_and_damage_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("segment.seg");
    let all = vectors(1_000, 20, 11);
    let mut outlier = all.clone();
    outlier.push(vec![1e15; 20]);
    for (metric, codes, vectors) in [
        (Metric::L2, Codes::Int8, &all),
        (Metric::Cosine, Codes::None, &all),
        (Metric::Dot, Codes::RaBitQ, &all),
        (Metric::L2, Codes::Int8, &outlier),
    ] {
        let numbered: Vec<_> = rows(vectors)
            .into_iter()
            .map(|(n, v)| (n * 3 + 70, v))
            .collect();
        let built =
            SealedSegment::build(metric, 20, &numbered, codes, &Progress::default()).unwrap();
        built.save(&path).unwrap();
        let opened = SealedSegment::open(&path).unwrap();
        assert_eq!((opened.codes(), opened.metric()), (built.codes(), metric));
        assert_eq!(opened.members(), built.members());
        assert_eq!(opened.mapped_bytes(), vectors.len() * 20 * 4);
        for query in all.iter().step_by(50) {
            let found = |segment: &SealedSegment| graph_search(segment, query, 10, 40);
            assert_eq!(found(&opened), found(&built));
        }
        let whole = fs::read(&path).unwrap();
        for (at, what) in [(0, "magic"), (9, "length"), (40, "header")]
            .into_iter()
            .chain((1..20).map(|i| (4096 + (whole.len() - 4096) / 20 * i, "array")))
        {
            let mut torn = whole.clone();
            torn[at] ^= 0x41;
            fs::write(&path, &torn).unwrap();
            match SealedSegment::open(&path) {
                Err(Error::Corrupt { .. }) => {}
                // The byte is padding between two arrays.
                Ok(same) => assert_eq!(same.internal_ids(), built.internal_ids(), "{what} at {at}"),
                Err(e) => panic!("{what} at {at}: {e}"),
            }
        }
        for len in [0, 7, 16, 100, 4096, whole.len() / 2, whole.len() - 1] {
            fs::write(&path, &whole[..len]).unwrap();
            assert!(SealedSegment::open(&path).is_err(), "cut to {len}");
        }
    }
}

#[test]
fn a_segment_that_cannot_be_opened_leaves_no_file_and_no_empty_segment() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let index = SpaceIndex::new(2, Metric::Dot, Codes::None);
    // Refused by collections: the squared length overflows, so that the file has no radius.
    index.insert(&[(0, &[3e38, 3e38]), (1, &[1.0, 0.0])]);
    let none = RoaringBitmap::new();
    for n in 0..3 {
        let job = index.plan(&none, JobKind::All, MemoryBudget::UNLIMITED);
        let job = job.expect("vectors to seal");
        let file = dir.path().join(format!("{n}.seg"));
        let built = index.build(&job, Some(&file), &Progress::new(1));
        assert!(built.is_err(), "an infinite radius was read back");
        assert_eq!(fs::read_dir(dir.path()).expect("folder").count(), 0);
    }
    assert!(index.segments.read().growing.len() <= 2);
}
