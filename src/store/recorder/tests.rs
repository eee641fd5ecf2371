use super::*;

fn sent(reference: &str, submit_no: i64) -> Sent {
    Sent {
        topup: "t_1".into(),
        reference: reference.into(),
        submit_no,
        payer: "carrier".into(),
        subscription: "li".into(),
        subscriber: "li".into(),
        rule: None,
        need: "n_1".into(),
        need_seq: 1,
        need_kind: "manual".into(),
        product: None,
        amount_minor: 1000,
        currency: "USD".into(),
        request: "{}".into(),
        order_hash: "h".into(),
        created_at: 0,
        before_balance: None,
        before_data_left: None,
        before_service_end_at: None,
        before_read_at: None,
        head: (0, String::new()),
    }
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

#[tokio::test]
async fn what_was_sent_is_known_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db.recorder");
    let (recorder, replay) = Recorder::open(&path, "i", at(0)).unwrap();
    assert!(replay.sent.is_empty() && replay.damage.is_none());
    recorder.send(sent("a", 1), at(1)).await.unwrap();
    recorder.send(sent("b", 1), at(2)).await.unwrap();
    recorder.send(sent("a", 2), at(3)).await.unwrap();
    recorder.result("b", 1, Outcome::NotSent, at(4)).await.unwrap();
    assert!(matches!(Recorder::open(&path, "i", at(5)), Err(RecorderError::Taken(_))));
    let id = recorder.id().to_owned();
    drop(recorder);
    let (recorder, replay) = Recorder::open(&path, "i", at(5)).unwrap();
    assert_eq!(recorder.id(), id);
    assert_eq!(replay.last_sent("a").map(|s| s.submit_no), Some(2));
    assert_eq!(replay.result("b", 1), Some(&Outcome::NotSent));
    assert_eq!((replay.sent.len(), replay.damage), (2, None));
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_torn_end_is_cut_off_and_other_damage_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db.recorder");
    let write = |bytes: &[u8]| std::fs::write(&path, bytes).unwrap();
    let (recorder, _) = Recorder::open(&path, "i", at(0)).unwrap();
    recorder.send(sent("a", 1), at(1)).await.unwrap();
    recorder.send(sent("b", 1), at(2)).await.unwrap();
    drop(recorder);
    let whole = std::fs::read(&path).unwrap();
    let last = whole[..whole.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1;
    for cut in last + 1..whole.len() {
        write(&whole[..cut]);
        let (recorder, replay) = Recorder::open(&path, "i", at(3)).unwrap();
        assert_eq!((replay.sent.len(), replay.damage.as_ref()), (1, None), "cut at {cut}");
        assert_eq!(std::fs::metadata(&path).unwrap().len(), last as u64);
        drop(recorder);
    }
    let mut changed = whole.clone();
    changed[last - 20] ^= 1;
    write(&changed);
    let (recorder, replay) = Recorder::open(&path, "i", at(3)).unwrap();
    assert!(replay.damage.is_some_and(|d| d.contains("line 2")), "a changed line went unseen");
    drop(recorder);
    let first = whole.iter().position(|b| *b == b'\n').unwrap() + 1;
    write(&[&whole[..first], &whole[last..]].concat());
    let (_, replay) = Recorder::open(&path, "i", at(3)).unwrap();
    assert!(replay.damage.is_some(), "a missing line went unseen");
}

#[tokio::test]
async fn a_full_file_is_put_aside_and_still_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db.recorder");
    let (recorder, _) = Recorder::open(&path, "i", at(0)).unwrap();
    let long = Sent { request: "x".repeat(usize::try_from(ROTATE_AT).unwrap()), ..sent("a", 1) };
    recorder.send(long, at(1)).await.unwrap();
    drop(recorder);
    let (recorder, _) = Recorder::open(&path, "i", at(2)).unwrap();
    recorder.send(sent("b", 1), at(3)).await.unwrap();
    drop(recorder);
    let (_, replay) = Recorder::open(&path, "i", at(4)).unwrap();
    assert_eq!((replay.sent.len(), replay.damage), (2, None));
    assert_eq!(scan::put_aside(&path).unwrap().len(), 1);
}

#[tokio::test]
async fn a_line_that_cannot_be_written_is_an_error_until_one_can() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db.recorder");
    let (recorder, _) = Recorder::open(&path, "i", at(0)).unwrap();
    let good = {
        let mut inner = recorder.inner.lock().unwrap();
        // A file opened for reading refuses every write.
        std::mem::replace(&mut inner.file, File::open(&path).unwrap())
    };
    assert!(recorder.send(sent("a", 1), at(1)).await.is_err());
    assert!(recorder.trouble(at(2)).await.is_some());
    recorder.inner.lock().unwrap().file = good;
    assert!(recorder.trouble(at(3)).await.is_none());
    recorder.send(sent("a", 1), at(4)).await.unwrap();
    drop(recorder);
    let (_, replay) = Recorder::open(&path, "i", at(5)).unwrap();
    assert_eq!((replay.sent.len(), replay.damage), (1, None));
}
