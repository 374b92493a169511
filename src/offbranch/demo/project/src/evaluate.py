"""Measures the model on the test part: metrics.json, and the predictions for a confusion matrix."""

import csv
import json

import joblib
import numpy as np
from sklearn.metrics import accuracy_score, f1_score

data = np.load("prepared.npz")
predicted = joblib.load("model.joblib").predict(data["x_test"])
metrics = {
    "accuracy": round(accuracy_score(data["y_test"], predicted), 5),
    "f1": round(f1_score(data["y_test"], predicted, average="macro"), 5),
    "errors": int((predicted != data["y_test"]).sum()),
}
with open("metrics.json", "w", encoding="utf-8") as file:
    json.dump(metrics, file, indent=2)
    file.write("\n")
with open("predictions.csv", "w", newline="", encoding="utf-8") as file:
    rows = csv.writer(file)
    rows.writerow(["actual", "predicted"])
    rows.writerows(zip(data["y_test"].tolist(), predicted.tolist(), strict=True))
print(", ".join(f"{name} {value}" for name, value in metrics.items()))
