/* The views of the API as types: the dataclasses of reeltag/server/views, field by field. */
export type JobKind = "extract" | "learn" | "curves" | "proxy";
export type JobState = "waiting" | "running" | "done" | "failed" | "cancelled";
export type Basis = "finder" | "encoder" | "nothing";
export type VideoState = "new" | "extracted" | "error" | "missing";
export type Sort = "name" | "length" | "newest" | "rated" | "class";
export type ProxyState = "not needed" | "needed" | "making" | "ready" | "impossible";
export type Answer = "yes" | "no" | "unsure";
export type Origin = "queue" | "timeline" | "search" | "import";

export interface WeightedEstimate {
  value: number;
  low: number;
  high: number;
  num_ratings: number;
}

export interface JobView {
  key: string;
  kind: JobKind;
  title: string;
  state: JobState;
  fraction: number | null;
  message: string;
  result: string;
  started_at: string;
  seconds: number;
}

export interface FinderView {
  key: string;
  name: string;
  made_at: string;
  num_ratings: number;
  num_classes: number;
  is_current: boolean;
  has_curves: boolean;
}

export interface NoteView {
  words: string;
  lacks_curves: boolean;
}

export interface ProjectView {
  name: string;
  num_videos: number;
  hours: number;
  classes: string[];
  has_library: boolean;
  basis: Basis;
  finder: FinderView | null;
  has_text_search: boolean;
  can_upload: boolean;
  notes: NoteView[];
  jobs: JobView[];
}

export interface TagView {
  name: string;
  prob: number;
}

export interface VideoCard {
  id: string;
  name: string;
  duration_s: number | null;
  state: VideoState;
  reason: string;
  tags: TagView[];
  num_ratings: number;
  has_poster: boolean;
}

export interface VideoList {
  total: number;
  offset: number;
  videos: VideoCard[];
}

export interface SpriteView {
  width: number;
  height: number;
  columns: number;
  count: number;
  step_s: number;
}

export interface VideoView {
  card: VideoCard;
  rate_hz: number;
  streams: string[];
  fps: number | null;
  group: string;
  split: string;
  sprite: SpriteView | null;
  loudness_hz: number;
  loudness_db: number[];
  cuts_s: number[];
  proxy: ProxyState;
  classes: string[];
}

export interface MomentView {
  video: string;
  name: string;
  class_name: string;
  start_s: number;
  end_s: number;
  best_s: number;
  prob: number;
  rating: number | null;
  sprite: SpriteView | null;
}

export interface CurveView {
  name: string;
  threshold: number | null;
  prob: number[];
  moments: MomentView[];
}

export interface CurvesView {
  basis: Basis;
  hop_s: number;
  curves: CurveView[];
}

export interface SearchView {
  what: string;
  class_name: string;
  suggestions: string[];
  basis: Basis;
  total: number;
  threshold: number;
  suggested: number | null;
  expected: WeightedEstimate | null;
  offset: number;
  moments: MomentView[];
}

export interface RatingView {
  key: number;
  video: string;
  start_s: number;
  end_s: number | null;
  class_name: string;
  answer: Answer;
  value: number | null;
  who: string;
  rated_at: string;
  origin: Origin;
}

export interface DisagreementView {
  video: string;
  name: string;
  start_s: number;
  end_s: number | null;
  class_name: string;
  ratings: RatingView[];
}

export interface WindowView {
  video: string;
  name: string;
  start_s: number;
  end_s: number;
  class_name: string;
  prob: number | null;
  why: string;
  chance: number;
  sprite: SpriteView | null;
}

export interface ClassProgress {
  name: string;
  num_labels: number;
  num_yes: number;
  num_no: number;
  num_unsure: number;
  precision: WeightedEstimate | null;
  recall: WeightedEstimate | null;
  average_precision: WeightedEstimate | null;
  gain: WeightedEstimate | null;
  advice: string;
}

export interface RateView {
  windows: WindowView[];
  classes: ClassProgress[];
  num_today: number;
  since_learned: number;
}

export interface ClassDifference {
  name: string;
  old: number;
  new: number;
  low: number;
  high: number;
  num_ratings: number;
  verdict: "better" | "worse" | "no difference shown";
}

export interface ComparisonView {
  old: FinderView;
  new: FinderView;
  words: string;
  num_ratings: number;
  classes: ClassDifference[];
}

export interface LearnView {
  classes: ClassProgress[];
  finders: FinderView[];
  comparison: ComparisonView | null;
  can_learn: boolean;
  why_not: string;
  job: JobView | null;
}

export interface HardMoment {
  video: string;
  name: string;
  start_s: number;
  end_s: number;
  class_name: string;
  value: number;
  old: number;
  new: number;
}

export interface CompareView {
  old: FinderView;
  new: FinderView;
  video: VideoView;
  old_curves: CurvesView;
  new_curves: CurvesView;
  hardest: HardMoment[];
}
