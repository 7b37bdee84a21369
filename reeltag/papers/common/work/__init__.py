"""What is done in the steps of solutions: functions of steps, no graph.

    training      train
    segments      predict_segments, copy_video_scores, soften
    videos        predict_videos, predict_folds, stack, soften_videos, gather, fit_clusters
    blends        mean, learn_weights, combine
    judging       score, compare of segments; score_videos, compare_with_best of videos
    augmentation  average_frames, augment

A function is called with the folder that it fills and with those of the steps before it, whose
files have the names of `files`. Most go on where a killed call stopped.

    model = step(train, given, name="II-A", model=..., recipe=..., start=stage_1)
    said  = step(predict_segments, model, given, name="II-A", judges=judges)
    step(score, said, given, name="II-A", judges=judges)         # scores.json
    soft  = step(soften, model, given, name="1", choices=SoftChoices(equal=1000), splits=...)
    step(train, given, name="II-B", ..., start=stage_1, soft=soft)
    step(mean, said_a, said_b, name="A+B")
"""
