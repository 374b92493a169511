"""Trains a small neural network on the digits, one pass over the data after the other, and logs each pass."""

import csv

import joblib
import numpy as np
import yaml_params
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier

params = yaml_params.load("train")
data = np.load("prepared.npz")
model = MLPClassifier(
    hidden_layer_sizes=(params["hidden"],),
    learning_rate_init=params["lr"],
    batch_size=params["batch_size"],
    random_state=params["seed"],
)

with open("training.csv", "w", newline="", encoding="utf-8") as file:
    log = csv.writer(file)
    log.writerow(["epoch", "loss", "test_loss"])
    for epoch in range(params["epochs"]):
        model.partial_fit(data["x_train"], data["y_train"], classes=np.arange(10))
        test_loss = log_loss(data["y_test"], model.predict_proba(data["x_test"]), labels=model.classes_)
        log.writerow([epoch, f"{model.loss_:.5f}", f"{test_loss:.5f}"])
        print(f"epoch {epoch:2d}  loss {model.loss_:.4f}  test loss {test_loss:.4f}")

joblib.dump(model, "model.joblib")
