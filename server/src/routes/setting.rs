//! What the routes of rules, synonyms and presets do alike.

use actix_web::{
    HttpResponse,
    web::{Json, Path},
};
use vitrine::Setting;

use super::{CollectionPath, SettingPath};
use crate::{call::Call, error::ApiResult};

pub async fn all<S>(call: &Call, path: Path<CollectionPath>) -> ApiResult<Vec<S>>
where
    S: Setting + Send + 'static,
{
    call.read(move |database| Ok(database.collection(&path.c)?.settings()))
        .await
}

/// Puts these in the place of all; gives those that there are then.
pub async fn replace<S>(
    call: &Call,
    path: Path<CollectionPath>,
    settings: Vec<S>,
) -> ApiResult<Vec<S>>
where
    S: Setting + Send + 'static,
{
    let all = call.write(move |database| {
        let collection = database.collection(&path.c)?;
        collection.replace_settings(settings)?;
        Ok(collection.settings())
    });
    all.await
}

pub async fn get<S>(call: &Call, path: Path<SettingPath>) -> ApiResult<Json<S>>
where
    S: Setting + Send + 'static,
{
    let one = call.read(move |database| database.collection(&path.c)?.setting(&path.id));
    Ok(Json(one.await?))
}

pub async fn put<S>(call: &Call, path: Path<SettingPath>, one: S) -> ApiResult<Json<S>>
where
    S: Setting + Send + 'static,
{
    let put = call.write(move |database| database.collection(&path.c)?.put_setting(one));
    Ok(Json(put.await?))
}

pub async fn delete<S>(call: &Call, path: Path<SettingPath>) -> ApiResult<HttpResponse>
where
    S: Setting + Send + 'static,
{
    let deleted = call.write(move |database| {
        let collection = database.collection(&path.c)?;
        collection.delete_setting::<S>(&path.id)
    });
    deleted.await?;
    Ok(HttpResponse::NoContent().finish())
}
