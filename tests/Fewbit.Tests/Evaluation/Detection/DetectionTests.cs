using Fewbit.Data;
using Fewbit.Evaluation;
using Fewbit.Evaluation.Detection;
using Fewbit.Graphs;
using Fewbit.Runtime;
using Fewbit.Tensors;
using Fewbit.Testing;

namespace Fewbit.Tests.Evaluation.Detection;

public sealed class DetectionTests
{
    private static DetectedBox Box(float left, float top, float size, float score, int kind = 0) => new(left, top, left + size, top + size, kind, score);

    private static List<DetectedBox> Random(Random random, int count) =>
        [.. Enumerable.Range(0, count).Select(_ => Box(random.Next(6), random.Next(6), 3 + random.Next(4), (float)random.NextDouble(), random.Next(3)))];

    [Fact]
    public void Overlap_KnownBoxes_IsIntersectionOverUnion()
    {
        Assert.Equal(1, Box(1, 2, 3, 0).Overlap(Box(1, 2, 3, 1, 5)), 12);
        Assert.Equal(2.0 / 6, Box(0, 0, 2, 0).Overlap(Box(1, 0, 2, 0)), 12);
        Assert.Equal(0, Box(0, 0, 2, 0).Overlap(Box(2, 0, 2, 0)));
        Assert.Equal(0, new DetectedBox(3, 3, 1, 1, 0, 1).Overlap(Box(0, 0, 5, 0)));
    }

    [Fact]
    public void Apply_Chain_DropsOnlyWhatAKeptBoxCovers()
    {
        // The second overlaps the first too much and is dropped, so the third, which overlaps only the second, stays.
        DetectedBox first = Box(0, 0, 4, 0.9f), second = Box(1.5f, 0, 4, 0.8f), third = Box(3, 0, 4, 0.7f), other = Box(0, 0, 4, 0.1f, kind: 1);
        Assert.Equal([first, third, other], NonMaximumSuppression.Apply([third, other, second, first], 0.4));
        Assert.Equal([first], NonMaximumSuppression.Apply([third, other, second, first], 0.4, most: 1));
    }

    [Fact]
    public void Apply_RandomBoxes_EqualsTheDefinition()
    {
        var random = new Random(2);
        for (int round = 0; round < 50; round++)
        {
            List<DetectedBox> boxes = Random(random, 30);
            // A box stays exactly when no surer box of its class that stays overlaps it by more than the limit.
            var stays = new Dictionary<DetectedBox, bool>();
            bool Stays(DetectedBox box) => stays.TryGetValue(box, out bool known) ? known
                : stays[box] = !boxes.Exists(other => other.Class == box.Class && other.Score > box.Score && other.Overlap(box) > 0.3 && Stays(other));
            Assert.Equal(boxes.Where(Stays).OrderByDescending(box => box.Score), NonMaximumSuppression.Apply(boxes, 0.3));
        }
    }

    [Fact]
    public void Of_HandComputed_IsThePrecisionAtEachRecall()
    {
        var precision = new AveragePrecision();
        // Two true boxes; found, by score: right, wrong, right. Precision 1 up to recall 0.5, then 2/3.
        precision.Add([Box(0, 0, 4, 1), Box(10, 0, 4, 1)], [Box(0, 0, 4, 0.9f), Box(20, 0, 4, 0.8f), Box(10, 0, 4, 0.7f)]);
        Assert.Equal((51 + 50 * 2.0 / 3) / 101, precision.Of([1]).Mean, 12);
        // The same box twice is right once.
        var twice = new AveragePrecision();
        twice.Add([Box(0, 0, 4, 1)], [Box(0, 0, 4, 0.9f), Box(0, 0, 4, 0.8f)]);
        Assert.Equal(1, twice.Of([1]).Mean, 12);
        // An overlap of 3.6/4.4 = 0.818 counts at the limits 0.5 to 0.8: 7 of 10.
        var shifted = new AveragePrecision();
        shifted.Add([Box(0, 0, 4, 1)], [Box(0.4f, 0, 4, 0.9f)]);
        Assert.Equal(0.7, shifted.Of([1]).Mean, 12);
        Assert.Equal(1, shifted.Of([1]).ByOverlap[0]);
        Assert.True(double.IsNaN(shifted.Of([0]).Mean));
    }

    [Fact]
    public void Of_RandomPictures_EqualsTheSlowReference()
    {
        var random = new Random(9);
        for (int round = 0; round < 20; round++)
        {
            var pictures = Enumerable.Range(0, 4).Select(_ => (Truth: Random(random, random.Next(6)), Found: Random(random, random.Next(12)))).ToArray();
            int[] weights = [1, 0, 2, 1];
            var precision = new AveragePrecision();
            foreach ((List<DetectedBox> truth, List<DetectedBox> found) in pictures) precision.Add(truth, found);
            double expected = Slow([pictures[0], pictures[2], pictures[2], pictures[3]]);
            double actual = precision.Of(weights).Mean;
            Assert.True(double.IsNaN(expected) ? double.IsNaN(actual) : Math.Abs(expected - actual) < 1e-9, $"{expected} {actual}");
        }
    }

    /// <summary>Written from the definition, one class, one limit, one recall at a time.</summary>
    private static double Slow((List<DetectedBox> Truth, List<DetectedBox> Found)[] pictures)
    {
        var values = new List<double>();
        foreach (int kind in pictures.SelectMany(picture => picture.Truth).Select(box => box.Class).Distinct())
        {
            for (int limit = 50; limit < 100; limit += 5)
            {
                var free = pictures.Select(picture => picture.Truth.Where(box => box.Class == kind).ToList()).ToArray();
                int truths = free.Sum(list => list.Count), right = 0, seen = 0;
                var curve = new List<(double Recall, double Precision)>();
                foreach ((int picture, DetectedBox box) in pictures.SelectMany((picture, i) => picture.Found.Where(box => box.Class == kind).Select(box => (i, box))).OrderByDescending(pair => pair.box.Score))
                {
                    seen++;
                    DetectedBox[] candidates = [.. free[picture].Where(truth => truth.Overlap(box) >= limit / 100.0 - 1e-9).OrderByDescending(truth => truth.Overlap(box))];
                    if (candidates.Length > 0)
                    {
                        right++;
                        free[picture].Remove(candidates[0]);
                    }
                    curve.Add(((double)right / truths, (double)right / seen));
                }
                values.Add(Enumerable.Range(0, 101).Average(r => curve.Where(point => point.Recall >= r / 100.0 - 1e-9).Select(point => point.Precision).DefaultIfEmpty().Max()));
            }
        }
        return values.Count == 0 ? double.NaN : values.Average();
    }

    private static FunctionModel Detector(ValueInfo input, params (string Name, Shape Shape)[] outputs) =>
        new(input, [.. outputs.Select(output => new ValueInfo(output.Name, ElementType.Float32, Symbolic(output.Shape)))], _ => []);

    private static SymbolicShape Symbolic(Shape shape) => new([.. shape.Select(length => (Dim)length)]);

    [Fact]
    public void Decode_NanoDet_AddsTheMeansOfItsBins()
    {
        // A picture of 64 x 64 has grids of 64, 16 and 4 places.
        (string, Shape)[] outputs = [("s8", [1, 64, 2]), ("s16", [1, 16, 2]), ("s32", [1, 4, 2]), ("d8", [1, 64, 32]), ("d16", [1, 16, 32]), ("d32", [1, 4, 32])];
        using FunctionModel model = Detector(new("x", ElementType.Float32, [1, 3, 64, 64]), outputs);
        DetectionDecoder decoder = DetectionDecoder.For(model);
        Assert.Equal("nanodet", decoder.Name);
        var values = outputs.ToDictionary(pair => pair.Item1, pair => Tensor.Allocate(ElementType.Float32, pair.Item2), StringComparer.Ordinal);
        values["s16"].Span<float>()[6 * 2 + 1] = 0.8f; // place 6 of 4 x 4: column 2, row 1
        int[] bins = [1, 2, 3, 0];
        for (int side = 0; side < 4; side++) values["d16"].Span<float>()[6 * 32 + side * 8 + bins[side]] = 100;
        // Centre 2 * 16 + 7.5, 1 * 16 + 7.5; distances 16, 32, 48, 0.
        Assert.Equal([new DetectedBox(23.5f, -8.5f, 87.5f, 23.5f, 1, 0.8f)], decoder.Decode(values, 0, 0.5));
        // Equal bins: the mean of 0 to 7 is 3.5 strides.
        values["d16"].Span<float>().Clear();
        DetectedBox even = decoder.Decode(values, 0, 0.5).Single();
        Assert.Equal(39.5f - 56, even.Left, 1e-3f);
    }

    [Fact]
    public void Decode_FastestDet_PlacesOneBoxACell()
    {
        using FunctionModel model = Detector(new("x", ElementType.Float32, [1, 3, 32, 64]), ("out", [1, 7, 2, 4]));
        DetectionDecoder decoder = DetectionDecoder.For(model);
        Assert.Equal("fastestdet", decoder.Name);
        Tensor output = Tensor.Allocate(ElementType.Float32, [1, 7, 2, 4]);
        float[] cell = [0.9f, 0.5f, -0.5f, 1, -1, 0.2f, 0.7f];
        for (int c = 0; c < 7; c++) output.Span<float>()[c * 8 + 6] = cell[c]; // row 1, column 2
        DetectedBox box = decoder.Decode(new Dictionary<string, Tensor> { ["out"] = output }, 0, 0.3).Single();
        Assert.Equal((1, Math.Pow(0.9, 0.6) * Math.Pow(0.7, 0.4)), (box.Class, box.Score), (a, b) => a.Item1 == b.Item1 && Math.Abs(a.Item2 - b.Item2) < 1e-6);
        Assert.Equal((2 + Math.Tanh(0.5)) / 4, (box.Left + box.Right) / 2, 1e-6);
        Assert.Equal((1 + Math.Tanh(-0.5)) / 2, (box.Top + box.Bottom) / 2, 1e-6);
        Assert.Equal(1 / (1 + Math.Exp(-1)), box.Right - box.Left, 1e-6);
        Assert.Equal(1 / (1 + Math.Exp(1)), box.Bottom - box.Top, 1e-6);
    }

    [Fact]
    public void Decode_BoxesAndScores_LeavesOutTheBackground()
    {
        using FunctionModel model = Detector(new("x", ElementType.Float32, [1, 3, 24, 32]), ("scores", [1, 2, 2]), ("boxes", [1, 2, 4]));
        DetectionDecoder decoder = DetectionDecoder.For(model, "boxes-scores");
        Tensor boxes = Tensor.From<float>([0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.5f, 0.9f, 0.9f], [1, 2, 4]);
        Assert.Equal([new DetectedBox(0.5f, 0.5f, 0.9f, 0.9f, 1, 0.8f)], decoder.Decode(new Dictionary<string, Tensor> { ["boxes"] = boxes, ["scores"] = Tensor.From<float>([0.9f, 0.1f, 0.2f, 0.8f], [1, 2, 2]) }, 0, 0.5));
        // Scores that do not add up to 1 have no background.
        Assert.Equal([0, 1], decoder.Decode(new Dictionary<string, Tensor> { ["boxes"] = boxes, ["scores"] = Tensor.From<float>([0.9f, 0.8f, 0.2f, 0.8f], [1, 2, 2]) }, 0, 0.5).Select(box => box.Class));
    }

    [Fact]
    public void For_AClassifier_SaysWhatDecodersWant()
    {
        using FunctionModel model = FunctionModel.Of([1, 3, 32, 32], [1, 10], x => x);
        Assert.Null(DetectionDecoder.TryFor(model));
        string message = Assert.Throws<InvalidDataException>(() => DetectionDecoder.For(model)).Message;
        Assert.StartsWith("no decoder reads the outputs 'y' float32 [1, 10] of input 'x' float32 [1, 3, 32, 32]; expected nanodet: ", message, StringComparison.Ordinal);
        Assert.Contains("decoder 'fastestdet' does not read", Assert.Throws<InvalidDataException>(() => DetectionDecoder.For(model, "fastestdet")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Result_LostBox_CostsItsShareAndNothingFoundIsAnError()
    {
        Tensor boxes = Tensor.From<float>([0, 0, 0.3f, 0.3f, 0.5f, 0.5f, 0.9f, 0.9f], [1, 2, 4]);
        ValueInfo[] outputs = [new("boxes", ElementType.Float32, [1, 2, 4]), new("scores", ElementType.Float32, [1, 2, 2])];
        FunctionModel Of(float second) => new(new("x", ElementType.Float32, [1, 3, 24, 32]), outputs, _ => [boxes, Tensor.From<float>([0.05f, 0.95f, 1 - second, second], [1, 2, 2])]);
        using FunctionModel reference = Of(0.9f), model = Of(0.01f), same = Of(0.3f);
        SampleBatch batch = FunctionModel.Batch(Tensor.Allocate(ElementType.Float32, [1, 3, 24, 32]));
        PairedScore score = ModelEvaluation.Compare(reference, model, [batch, batch], new DetectionMetric(DetectionDecoder.For(reference))).Score!;
        // Of two true boxes one is found: precision 1 at recalls 0 to 0.5.
        Assert.Equal(51.0 / 101, score.Model, 12);
        Assert.Equal((1.0, score.Model, score.Model), (score.Reference, score.ModelInterval.Low, score.ModelInterval.High));
        // Less sure, yet found: the order of boxes is the same.
        Assert.Equal(1, ModelEvaluation.Compare(reference, same, [batch], new DetectionMetric(DetectionDecoder.For(reference))).Score!.Model);
        Assert.Contains("finds nothing with a score of 0.99 or more in 1 pictures", Assert.Throws<InvalidDataException>(() => ModelEvaluation.Compare(reference, model, [batch],
            new DetectionMetric(DetectionDecoder.For(reference), new() { TrueScore = 0.99 }))).Message, StringComparison.Ordinal);
    }

    [DataFact("detection")]
    public void Decode_PeopleBeforeABus_FindsThem()
    {
        foreach ((string name, double score) in (ReadOnlySpan<(string, double)>)[("FastestDet_352", 0.88), ("nanodet_m_416", 0.77)])
        {
            using ModelRunner model = ModelRunner.Load(Oracles.Data($"detection/models/{name}.onnx"));
            DetectionDecoder decoder = DetectionDecoder.For(model);
            SampleBatch bus = new SampleBatches(DataSetReader.Open(Oracles.Data("detection/images/coco_bus.jpg")), model.Inputs, decoder.Preprocessing).First();
            IReadOnlyList<DetectedBox> found = NonMaximumSuppression.Apply(decoder.Decode(model.Run(bus.Inputs), 0, decoder.ShownScore), decoder.SuppressedOverlap);
            // Person is class 0; the scores were read in another program, which resizes without antialiasing.
            Assert.Equal(0, found[0].Class);
            Assert.Equal(score, found[0].Score, 0.06);
            Assert.Contains(found, box => box.Class == 5); // the bus
        }
    }
}
