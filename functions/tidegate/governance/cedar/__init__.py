"""Cedar: vocabulary, validation, evaluation. cedarpy is imported where it is used."""
