package wait

func NewAlarm(ring func()) *Alarm { return &Alarm{ring: ring} }
