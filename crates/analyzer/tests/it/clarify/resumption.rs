//! An analysis that was interrupted goes on from what it had computed.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;
use tempfile::TempDir;
use watchkeeper_analyzer::clarify::{ClarifyRequest, analyze, forget, write_documents};
use watchkeeper_analyzer::predictor::ModelPlace;
use watchkeeper_analyzer::{Asking, Error, Level, Observer};
use watchkeeper_formats::ClarifyJob;
use watchkeeper_formats::clarify::{AnalysisConfig, ShapBaseline};

use super::stub_model::StubModel;

/// Stops a run when so many model rows were answered.
struct Stopping {
    after: u64,
    stopped: AtomicBool,
    told: AtomicUsize,
}

impl Stopping {
    fn after(after: u64) -> Self {
        Self { after, stopped: AtomicBool::new(false), told: AtomicUsize::new(0) }
    }
}

impl Observer for Stopping {
    fn log(&self, _: Level, _: &str) {}

    fn asking(&self, asking: Asking) {
        self.told.fetch_add(1, Ordering::Relaxed);
        assert!(asking.records <= asking.records_total, "{asking}");
        if asking.purpose == "attributions" && asking.records >= self.after {
            self.stopped.store(true, Ordering::Relaxed);
        }
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

fn request(folder: &TempDir, model: &StubModel) -> ClarifyRequest {
    let mut rows = String::from("y,a,b,c,d,e\n");
    for row in 0..200 {
        writeln!(rows, "{},{row},{},{},{},{}", row % 2, row * row % 17, row % 5, row % 7, row % 11).unwrap();
    }
    let dataset = folder.path().join("data.csv");
    std::fs::write(&dataset, rows).unwrap();
    let config = json!({
        "dataset_type": "text/csv",
        "label": "y",
        "methods": {"shap": {"baseline": [[3, 0.5, 1, 9, 2]], "save_local_shap_values": true}},
        "predictor": {},
    });
    ClarifyRequest {
        config: AnalysisConfig::parse(&config.to_string()).unwrap(),
        dataset,
        model: Some(ModelPlace::Url(model.url.clone())),
        baseline: None,
        bias_interval: None,
        ndcg_threshold: ClarifyJob::DEFAULT_NDCG_THRESHOLD,
        resume: Some(folder.path().join("partial")),
        resamples: 0,
    }
}

#[test]
fn goes_on_where_it_was_interrupted() {
    let folder = TempDir::new().unwrap();
    let answered = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&answered);
    let model = StubModel::of_bodies(move |body| {
        count.fetch_add(body.lines().count(), Ordering::Relaxed);
        let answers = body.lines().map(|line| {
            let cells: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
            format!("{}\n", cells[0] * cells[1] - 0.3 * cells[2] + cells[3] * cells[4])
        });
        let answers: String = answers.collect();
        pause();
        (200, answers)
    });
    let request = request(&folder, &model);
    let stopping = Stopping::after(1000);
    assert!(matches!(analyze(&request, 2, &stopping), Err(Error::Stopped)));
    assert!(stopping.told.load(Ordering::Relaxed) > 1);
    let partial = folder.path().join("partial/attributions.partial");
    let kept = std::fs::metadata(&partial).unwrap().len();
    // A last entry that was cut short is computed again.
    std::fs::OpenOptions::new().write(true).open(&partial).unwrap().set_len(kept - 3).unwrap();
    assert!(kept > 1000, "{kept} bytes");
    let before = answered.load(Ordering::Relaxed);
    let resumed = analyze(&request, 2, &Stopping::after(u64::MAX)).unwrap();
    let asked = answered.load(Ordering::Relaxed) - before;
    forget(&folder.path().join("partial")).unwrap();
    assert!(!folder.path().join("partial").try_exists().unwrap());
    let before = answered.load(Ordering::Relaxed);
    let whole = analyze(&request, 2, &Stopping::after(u64::MAX)).unwrap();
    let asked_of_whole = answered.load(Ordering::Relaxed) - before;
    assert!(asked < asked_of_whole, "{asked} of {asked_of_whole}");
    assert_eq!(resumed.analysis, whole.analysis);
    assert_eq!(resumed.local, whole.local);
    // Another analysis takes nothing over.
    let mut other = request.clone();
    other.config.methods.shap.as_mut().unwrap().use_logit = true;
    let other = analyze(&other, 2, &Stopping::after(u64::MAX)).unwrap();
    assert_ne!(other.local, whole.local);
    let output = folder.path().join("output");
    write_documents(&output, &whole, &[("report.html", "text".to_owned())]).unwrap();
    for name in ["analysis.json", "explanations_shap/out.csv", "explanations_shap/baseline.csv", "report.html"] {
        assert!(output.join(name).try_exists().unwrap(), "{name}");
    }
}

/// Slow enough for a run to be stopped in the middle.
fn pause() {
    let (_sender, receiver) = std::sync::mpsc::channel::<()>();
    let _ = receiver.recv_timeout(std::time::Duration::from_millis(60));
}

/// Linear in the cells, after a pause in which a run can be stopped.
fn linear(body: &str, factor: f64) -> (u16, String) {
    pause();
    let sum = |line: &str| factor * line.split(',').map(|cell| cell.parse::<f64>().unwrap()).sum::<f64>();
    let answers: Vec<String> = body.lines().map(|line| sum(line).to_string()).collect();
    (200, answers.join("\n"))
}

#[test]
fn nothing_is_taken_over_from_another_model_at_the_same_address() {
    let folder = TempDir::new().unwrap();
    let is_retrained = Arc::new(AtomicBool::new(false));
    let retrained = Arc::clone(&is_retrained);
    let model =
        StubModel::of_bodies(move |body| linear(body, if retrained.load(Ordering::Relaxed) { 2.0 } else { 1.0 }));
    let mut request = request(&folder, &model);
    // Scores of the background are zero by both models.
    request.config.methods.shap.as_mut().unwrap().baseline = Some(ShapBaseline::Inline(json!([[0, 0, 0, 0, 0]])));
    assert!(matches!(analyze(&request, 2, &Stopping::after(1000)), Err(Error::Stopped)));
    assert!(folder.path().join("partial/attributions.partial").try_exists().unwrap());
    is_retrained.store(true, Ordering::Relaxed);
    let resumed = analyze(&request, 2, &Stopping::after(u64::MAX)).unwrap();
    forget(&folder.path().join("partial")).unwrap();
    assert_eq!(resumed.local, analyze(&request, 2, &Stopping::after(u64::MAX)).unwrap().local);
}

#[test]
fn nothing_is_kept_where_nothing_was_computed() {
    let folder = TempDir::new().unwrap();
    let model = StubModel::of_bodies(|body| match body {
        "3,0.5,1,9,2" => (200, "1".to_owned()),
        _ => (200, body.lines().map(|_| "high\n").collect()),
    });
    let request = request(&folder, &model);
    std::fs::create_dir(folder.path().join("partial")).unwrap();
    std::fs::write(folder.path().join("partial/attributions.partial"), "of another analysis").unwrap();
    assert!(analyze(&request, 2, &Stopping::after(u64::MAX)).unwrap_err().to_string().contains("high"));
    assert!(!folder.path().join("partial").try_exists().unwrap());
}
