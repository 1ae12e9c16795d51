//! How well clusterings tell rows apart (Rousseeuw 1987).

use super::points::Points;

/// The mean silhouette of each clustering: of a row, how much nearer its own cluster is than the next one, from -1 to 1; 0 of a row
/// that is alone.
pub(super) fn of(points: &Points, clusterings: &[Vec<u32>]) -> Vec<f64> {
    let sizes: Vec<Vec<u32>> = clusterings.iter().map(|assigned| sizes(assigned)).collect();
    let mut sums: Vec<Vec<f64>> = sizes.iter().map(|sizes| vec![0.0; sizes.len()]).collect();
    let mut totals = vec![0.0; clusterings.len()];
    let mut distances = vec![0.0; points.rows()];
    for row in 0..points.rows() {
        let point = points.row(row);
        for (other, distance) in distances.iter_mut().enumerate() {
            *distance = point.distance(points.row(other)).sqrt();
        }
        for (((assigned, sizes), sums), total) in clusterings.iter().zip(&sizes).zip(&mut sums).zip(&mut totals) {
            sums.fill(0.0);
            for (distance, cluster) in distances.iter().zip(assigned) {
                sums[*cluster as usize] += distance;
            }
            *total += silhouette(assigned[row] as usize, sums, sizes);
        }
    }
    totals.iter().map(|total| total / points.rows() as f64).collect()
}

fn sizes(assigned: &[u32]) -> Vec<u32> {
    let clusters = assigned.iter().max().map_or(0, |last| *last as usize + 1);
    let mut sizes = vec![0; clusters];
    for cluster in assigned {
        sizes[*cluster as usize] += 1;
    }
    sizes
}

/// Of a row of cluster `own` whose distances from the members of each cluster have these sums.
fn silhouette(own: usize, sums: &[f64], sizes: &[u32]) -> f64 {
    if sizes[own] < 2 {
        return 0.0;
    }
    let inside = sums[own] / f64::from(sizes[own] - 1);
    let outside = (0..sums.len())
        .filter(|cluster| *cluster != own && sizes[*cluster] > 0)
        .map(|cluster| sums[cluster] / f64::from(sizes[cluster]))
        .fold(f64::INFINITY, f64::min);
    let larger = inside.max(outside);
    if larger > 0.0 && larger.is_finite() { (outside - inside) / larger } else { 0.0 }
}
