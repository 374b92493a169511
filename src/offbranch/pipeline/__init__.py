"""From dvc.yaml to finished stages. Reads through `FileReader`, so it knows neither Git nor where the files are."""
