//! The routes of the control socket.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Json, Router};
use postroad_clock::UnixMs;
use postroad_store::{QueueStore, Trouble};
use utoipa::OpenApi;

use crate::api::{
    self, Action, Came, Collection, Done, Health, Listing, Message, Order, Page, Refused, Reloaded,
    Site,
};
use crate::queue::{self, Wrong};
use crate::view::Sites;

/// What the routes need of the running server.
pub trait Server: Sites {
    /// The store of its queue.
    type Store: QueueStore;

    /// The queue.
    fn store(&self) -> &Self::Store;

    /// The present.
    fn now(&self) -> UnixMs;

    /// What it knows of each destination.
    fn sites(&self) -> impl Future<Output = Vec<Site>> + Send;

    /// The providers that mail is collected from.
    fn collections(&self) -> Vec<Collection>;

    /// Collects mail from the provider of this name now; none if there is none.
    fn collect(&self, name: &str) -> impl Future<Output = Option<Came>> + Send;

    /// Whether it is well.
    fn health(&self) -> Health;

    /// Whether it takes mail; why not, in words.
    fn ready(&self) -> Result<(), String>;

    /// Its counters, in the text format of OpenMetrics.
    fn metrics(&self) -> impl Future<Output = String> + Send;

    /// Reads the configuration again and takes what can be taken. What is wrong with it, in words.
    fn reload(&self) -> impl Future<Output = Result<Reloaded, String>> + Send;

    /// Tells the delivery that a message was changed, so that it lets go of what it only waits
    /// for.
    fn changed(&self, id: postroad_reply::QueueId);

    /// Tells the delivery that messages were made due, so that it tries next hops, too, that it would have
    /// left alone for a while.
    fn retried(&self);
}

/// The routes, around a server.
#[derive(Debug)]
pub struct Control<S>(Arc<S>);

impl<S> Clone for Control<S> {
    fn clone(&self) -> Control<S> {
        Control(Arc::clone(&self.0))
    }
}

/// The media type of `GET /metrics` (OpenMetrics 1.0).
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What `GET /openapi.json` tells.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Postroad's control socket",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
        description = "The queue and the running server, for an operator and programs of theirs. \
            HTTP over a Unix socket that only the server's own user and root may use."
    ),
    paths(list, show, act, sites, collections, collect, health, ready, metrics, reload, description),
    // Those in paths and queries are not found by themselves.
    components(schemas(Action, api::State))
)]
struct Description;

/// The description of the API, as OpenAPI has it.
pub fn openapi() -> String {
    // It is made of literals; a test reads it.
    Description::openapi().to_pretty_json().unwrap_or_default()
}

impl<S: Server> Control<S> {
    /// Around `server`.
    pub fn new(server: Arc<S>) -> Control<S> {
        Control(server)
    }

    /// The paths of the routes, as OpenAPI writes them.
    pub fn paths() -> Vec<&'static str> {
        routes::<S>().iter().map(|(path, _)| *path).collect()
    }

    /// The routes.
    pub fn router(self) -> Router {
        let nothing = async || {
            let words = "there is nothing here; see /openapi.json";
            refused(StatusCode::NOT_FOUND, words)
        };
        let not_so = async || {
            let words = "not with this method; see /openapi.json";
            refused(StatusCode::METHOD_NOT_ALLOWED, words)
        };
        let routes = routes::<S>().into_iter();
        routes
            .fold(Router::new(), |router, (path, route)| {
                router.route(path, route)
            })
            .fallback(nothing)
            .method_not_allowed_fallback(not_so)
            .with_state(self)
    }
}

/// Each path with what it answers.
fn routes<S: Server>() -> [(&'static str, MethodRouter<Control<S>>); 11] {
    [
        ("/v1/queue", get(list::<S>)),
        ("/v1/queue/{id}", get(show::<S>)),
        ("/v1/queue/do/{action}", post(act::<S>)),
        ("/v1/sites", get(sites::<S>)),
        ("/v1/collections", get(collections::<S>)),
        ("/v1/collect/{name}", post(collect::<S>)),
        ("/v1/reload", post(reload::<S>)),
        ("/health", get(health::<S>)),
        ("/ready", get(ready::<S>)),
        ("/metrics", get(metrics::<S>)),
        ("/openapi.json", get(description)),
    ]
}

/// The queue, a page at a time.
///
/// A page may have no message and a `next` nevertheless, where none of those examined matched.
#[utoipa::path(get, path = "/v1/queue", params(Listing), responses(
    (status = 200, body = Page, description = "The page."), (status = 400, body = Refused, description = "What was asked makes no sense."), (status = 500, body = Refused, description = "The store failed.")
))]
async fn list<S: Server>(
    State(Control(server)): State<Control<S>>,
    listing: Result<Query<Listing>, QueryRejection>,
) -> Result<Json<Page>, Wrong> {
    let (filter, place) = listing?.0.parts();
    let now = server.now();
    let page = queue::page(server.store(), &*server, &filter, &place, now).await?;
    Ok(Json(page))
}

/// One message and its history.
#[utoipa::path(get, path = "/v1/queue/{id}", params(("id" = String, Path, description = "its queue id")),
    responses((status = 200, body = Message, description = "The message."), (status = 400, body = Refused, description = "What was asked makes no sense."),
        (status = 404, body = Refused, description = "There is no such message."), (status = 500, body = Refused, description = "The store failed.")))]
async fn show<S: Server>(
    State(Control(server)): State<Control<S>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Message>, Wrong> {
    let id = queue::queue_id(&id?.0)?;
    let message = queue::show(server.store(), &*server, id, server.now()).await?;
    Ok(Json(message))
}

/// Does something to messages, on one page of the queue.
#[utoipa::path(post, path = "/v1/queue/do/{action}", request_body = Order,
    params(("action" = Action, Path, description = "what to do")),
    responses((status = 200, body = Done, description = "What was done."), (status = 400, body = Refused, description = "What was asked makes no sense."),
        (status = 500, body = Refused, description = "The store failed."), (status = 503, body = Refused, description = "The store takes no changes.")))]
async fn act<S: Server>(
    State(Control(server)): State<Control<S>>,
    action: Result<Path<Action>, PathRejection>,
    order: Result<Json<Order>, JsonRejection>,
) -> Result<Json<Done>, Wrong> {
    let (action, order) = (action?.0, order?.0);
    let changed = |id| server.changed(id);
    let now = server.now();
    let done = queue::carry_out(server.store(), &*server, action, &order, now, &changed).await?;
    if action == Action::Retry && done.changed > 0 {
        server.retried();
    }
    Ok(Json(done))
}

/// Each destination.
#[utoipa::path(get, path = "/v1/sites", responses((status = 200, body = Vec<Site>, description = "The destinations.")))]
async fn sites<S: Server>(State(Control(server)): State<Control<S>>) -> Json<Vec<Site>> {
    Json(server.sites().await)
}

/// Each provider that mail is collected from.
#[utoipa::path(get, path = "/v1/collections", responses((status = 200, body = Vec<Collection>, description = "The providers.")))]
async fn collections<S: Server>(
    State(Control(server)): State<Control<S>>,
) -> Json<Vec<Collection>> {
    Json(server.collections())
}

/// Collects mail from a provider now, and waits for it some minutes.
#[utoipa::path(post, path = "/v1/collect/{name}", params(("name" = String, Path, description = "its name in the configuration")),
    responses((status = 200, body = Came, description = "What came of it, be it that it was refused."), (status = 404, body = Refused, description = "There is no such provider.")))]
async fn collect<S: Server>(
    State(Control(server)): State<Control<S>>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<Came>, Wrong> {
    let name = name?.0;
    match server.collect(&name).await {
        Some(came) => Ok(Json(came)),
        None => Err(Wrong::NotFound(format!(
            "there is no [[collect]] of the name {name:?}; see postroad collections"
        ))),
    }
}

/// Whether the server is well.
#[utoipa::path(get, path = "/health", responses((status = 200, body = Health, description = "It is well."), (status = 503, body = Health, description = "It is not well.")))]
async fn health<S: Server>(State(Control(server)): State<Control<S>>) -> Response {
    let health = server.health();
    let status = if health.ok {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(health)).into_response()
}

/// Whether the server takes mail.
#[utoipa::path(get, path = "/ready", responses((status = 200, description = "It does."), (status = 503, body = Refused, description = "It does not, and why.")))]
async fn ready<S: Server>(State(Control(server)): State<Control<S>>) -> Response {
    match server.ready() {
        Ok(()) => StatusCode::OK.into_response(),
        Err(why) => refused(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
}

/// The counters, as OpenMetrics has them.
#[utoipa::path(get, path = "/metrics", responses((status = 200, body = String, description = "The counters.", content_type = "application/openmetrics-text")))]
async fn metrics<S: Server>(State(Control(server)): State<Control<S>>) -> Response {
    (
        [(header::CONTENT_TYPE, OPENMETRICS)],
        server.metrics().await,
    )
        .into_response()
}

/// Reads the configuration again.
#[utoipa::path(post, path = "/v1/reload", responses((status = 200, body = Reloaded, description = "It was read, and what has changed holds."), (status = 409, body = Refused, description = "Something is wrong with it; the former one still holds.")))]
async fn reload<S: Server>(State(Control(server)): State<Control<S>>) -> Response {
    match server.reload().await {
        Ok(reloaded) => Json(reloaded).into_response(),
        Err(why) => refused(StatusCode::CONFLICT, &why),
    }
}

/// This description.
#[utoipa::path(get, path = "/openapi.json", responses((status = 200, description = "It.", content_type = "application/json")))]
async fn description() -> Response {
    json(openapi())
}

fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

fn refused(status: StatusCode, why: &str) -> Response {
    let refused = api::Refused { error: why.into() };
    (status, Json(refused)).into_response()
}

/// What can't be read is said as everything else is.
macro_rules! unreadable {
    ($($rejection:ident)*) => {$(
        impl From<$rejection> for Wrong {
            fn from(rejection: $rejection) -> Wrong {
                Wrong::Asked(rejection.body_text())
            }
        }
    )*};
}

unreadable! { JsonRejection PathRejection QueryRejection }

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        let status = match &self {
            Wrong::Asked(_) => StatusCode::BAD_REQUEST,
            Wrong::NotFound(_) => StatusCode::NOT_FOUND,
            Wrong::Store(Trouble::Full | Trouble::ReadOnly) => StatusCode::SERVICE_UNAVAILABLE,
            Wrong::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        refused(status, &self.to_string())
    }
}
