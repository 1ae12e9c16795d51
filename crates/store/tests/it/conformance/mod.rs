//! What every implementation of the store's traits must do. Each suite is a function of the trait object; here they run
//! on the implementations that there are.

mod documents;
mod listing;
mod logs;
mod metrics;
mod objects;
mod uploads;

use crate::new_store;

#[tokio::test]
async fn metadata_of_sqlite() {
    let (_folder, store) = new_store().await;
    documents::all(&store.metadata).await;
    metrics::all(&store.metadata).await;
}

#[tokio::test]
async fn embedded_objects() {
    let (_folder, store) = new_store().await;
    objects::all(&store.objects).await;
    uploads::all(&store.objects).await;
}

#[test]
fn listings_of_embedded_objects() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (_folder, store) = runtime.block_on(new_store());
    runtime.block_on(listing::of_many_entries(&store.objects));
    listing::agrees_with_a_naive_model(&runtime, &store.objects);
}

#[tokio::test]
async fn logs_of_sqlite() {
    let (_folder, store) = new_store().await;
    logs::all(&store.logs).await;
}
