"""scikit-learn, which has no loops of training to call back from: what a search has tried, and how good a model is."""

from collections.abc import Mapping
from typing import Any, Final

from sklearn.base import is_classifier

from offbranch.live.frameworks.opening import written_params
from offbranch.live.logger import Live

_MOST_CLASSES_OF_CURVES: Final = 2


def log_search(live: Live, search: Any) -> None:
    """Logs a search that has been fitted: GridSearchCV, RandomizedSearchCV or a halving one.

    The best parameters become parameters, `search/best_score` and `search/n_candidates` metrics, and all candidates the plot
    `search`, in the order in which they were tried.

    Args:
        live: Where it logs.
        search: Of scikit-learn, fitted.
    """
    found: Mapping[str, Any] = search.cv_results_
    name = "score" if "mean_test_score" in found else str(search.refit)
    candidates = [
        {"candidate": number, **written_params(params), "score": float(score), "deviation": float(deviation)}
        for number, (params, score, deviation) in enumerate(
            zip(found["params"], found[f"mean_test_{name}"], found[f"std_test_{name}"], strict=True)
        )
    ]
    live.log_params(written_params(search.best_params_))
    live.log_metric("search/best_score", float(search.best_score_), plot=False)
    live.log_metric("search/n_candidates", len(candidates), plot=False)
    live.log_plot("search", candidates, x="candidate", y="score", template="scatter", title="Candidates of the search")


def log_model(live: Live, model: Any, x: Any, y: Any, *, prefix: str = "eval") -> None:
    """Logs the score of a model that has been fitted; of a classifier its confusion matrix, of two classes its curves, too.

    Args:
        live: Where it logs.
        model: An estimator or pipeline of scikit-learn, fitted.
        x: Data to look at it with.
        y: What is true of it.
        prefix: First level of the names.
    """
    live.log_metric(f"{prefix}/score", float(model.score(x, y)), plot=False)
    if not is_classifier(model):
        return
    live.log_sklearn_plot("confusion_matrix", y, model.predict(x), name=f"{prefix}/confusion_matrix")
    if len(model.classes_) == _MOST_CLASSES_OF_CURVES and hasattr(model, "predict_proba"):
        truth = [int(value == model.classes_[1]) for value in y]
        scores = model.predict_proba(x)[:, 1]
        for kind in ("roc", "precision_recall"):
            live.log_sklearn_plot(kind, truth, scores, name=f"{prefix}/{kind}")
