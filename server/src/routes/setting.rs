//! Generic handlers of settings: rules, synonyms and presets.

use actix_web::{HttpResponse, web::Path};
use vitrine::Setting;

use super::{CollectionPath, SettingPath};
use crate::{
    error::ApiResult,
    http::{etag::Tagged, request_context::RequestContext},
};

/// Returns all settings of a kind.
pub async fn all<S>(context: &RequestContext, path: Path<CollectionPath>) -> ApiResult<Vec<S>>
where
    S: Setting + Send + 'static,
{
    context
        .read(move |database| Ok(database.collection(&path.c)?.settings()))
        .await
}

/// Replaces all settings of a kind; returns the new ones.
pub async fn replace<S>(
    context: &RequestContext,
    path: Path<CollectionPath>,
    settings: Vec<S>,
) -> ApiResult<Vec<S>>
where
    S: Setting + Send + 'static,
{
    let condition = context.condition.clone();
    let all = context.write(move |database| {
        let collection = database.collection(&path.c)?;
        collection.replace_settings_if(settings, &condition)?;
        Ok(collection.settings())
    });
    all.await
}

/// Returns a setting.
pub async fn get<S>(context: &RequestContext, path: Path<SettingPath>) -> ApiResult<Tagged<S>>
where
    S: Setting + Send + 'static,
{
    let setting = context.read(move |database| database.collection(&path.c)?.setting(&path.id));
    Ok(Tagged::of(setting.await?))
}

/// Sets a setting; returns it as stored.
pub async fn put<S>(
    context: &RequestContext,
    path: Path<SettingPath>,
    setting: S,
) -> ApiResult<Tagged<S>>
where
    S: Setting + Send + 'static,
{
    let condition = context.condition.clone();
    let put = context.write(move |database| {
        let collection = database.collection(&path.c)?;
        collection.put_setting_if(setting, &condition)
    });
    Ok(Tagged::of(put.await?))
}

/// Deletes a setting.
pub async fn delete<S>(context: &RequestContext, path: Path<SettingPath>) -> ApiResult<HttpResponse>
where
    S: Setting + Send + 'static,
{
    let condition = context.condition.clone();
    let deleted = context.write(move |database| {
        let collection = database.collection(&path.c)?;
        collection.delete_setting_if::<S>(&path.id, &condition)
    });
    deleted.await?;
    Ok(HttpResponse::NoContent().finish())
}
