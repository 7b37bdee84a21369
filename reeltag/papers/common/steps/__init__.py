"""What steps do: functions that fill a folder, no graph.

    train         train, gather_tensors, fit_centroids
    regress       regress_frames: a logistic regression of every frame
    predict       predict_segments, copy_video_scores, predict_videos, predict_folds
    soft_labels   soft_label_segments, soft_label_videos
    blend         mean, learn_weights, combine, stack
    evaluate      score, compare of segments; score_videos, compare_with_best of videos
    finder        write_finder: a run with thresholds of its classes
    augment       average_frames, augment

A function is called with the folder that it fills and with those of the steps before it, whose
files have the names in `files`. Most go on where a killed call stopped.

    model = step(train, data, name="II-A", model=..., recipe=..., start=stage_1)
    predicted = step(predict_segments, model, data, name="II-A", evaluation=evaluation)
    step(score, predicted, data, name="II-A", evaluation=evaluation)        # scores.json
    soft = step(soft_label_segments, model, data, choices=TeacherConfig(equal=1000), splits=...)
    step(train, data, name="II-B", ..., start=stage_1, soft=soft)
    step(mean, predicted_a, predicted_b, name="A+B")
"""
