using Fewbit.Cli.Console;
using Fewbit.Cli.Inspection;
using Fewbit.Cli.Judging;
using Fewbit.Cli.Timing;
using Fewbit.Data;
using Fewbit.Evaluation;
using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.Quantization;
using Fewbit.Runtime;

namespace Fewbit.Cli.Demo;

/// <summary>One row of the demonstration.</summary>
/// <param name="Name">float, int8, int4, int2.</param>
/// <param name="Top1">Share of unseen pictures recognized.</param>
/// <param name="Top1Low">Lower end of its 95 % interval.</param>
/// <param name="Top1High">Upper end of its 95 % interval.</param>
/// <param name="AgainstFloat">Compared with the float model on the same pictures; null for the float model itself.</param>
/// <param name="FileBytes">Bytes of the file.</param>
/// <param name="PackedBytes">The same with each weight code in its own number of bits, computed.</param>
/// <param name="SecondsPerPicture">Time of one picture in Fewbit.</param>
internal sealed record DemoRow(string Name, double Top1, double Top1Low, double Top1High, Judgement? AgainstFloat, long FileBytes, long PackedBytes, double SecondsPerPicture);

/// <summary>What the demonstration found.</summary>
internal sealed record DemoReport(IReadOnlyList<DemoRow> Rows, int Pictures, int CalibrationPictures, string? Kept);

/// <summary>The whole story on an embedded model and generated pictures.</summary>
internal sealed class DemoJob(string? keep, int trainingPictures, CommandOutput output, CancellationToken cancellation)
{
    private const int UnseenPictures = 2000, CalibrationPictures = 480;
    private const ulong TrainingSeed = 1, UnseenSeed = 2, CalibrationSeed = 3;
    private static readonly string[] s_formats = ["int8", "int4", "int2"];

    private readonly DemoData _calibration = new(CalibrationSeed, CalibrationPictures, "for calibration"), _unseen = new(UnseenSeed, UnseenPictures, "that no model has seen");

    public DemoReport Run()
    {
        if (keep is not null && File.Exists(keep)) throw new IOException($"{keep}: is a file, expected a folder to keep models and pictures in");
        Graph original = Model();
        var models = new Dictionary<string, QuantizationResult>(StringComparer.Ordinal);
        foreach (string format in s_formats) models[format] = Quantize(original, format);
        using IModelRunner floatModel = Engines.Fewbit(original);
        var results = s_formats.ToDictionary(format => format, format => Evaluate(floatModel, models[format].Model, format), StringComparer.Ordinal);
        IReadOnlyDictionary<string, RoundTimes> times = Time(original, models);

        long floatBytes = OnnxFile.ToBytes(original).Length;
        ClassificationResult first = results["int8"].Classification!;
        var rows = new List<DemoRow> { Row("float", first.ReferenceTop1, null, floatBytes, floatBytes, times["float"].Median) };
        foreach (string format in s_formats)
        {
            SizeReport size = models[format].Report.Size;
            long bytes = OnnxFile.ToBytes(models[format].Model).Length;
            rows.Add(Row(format, results[format].Classification!.Top1, Judgement.Of(results[format]), bytes, bytes - size.ParameterBytes + size.PackedParameterBytes, times[format].Median));
        }
        if (keep is not null) Keep(original, models);
        return new(rows, UnseenPictures, CalibrationPictures, keep);
    }

    /// <summary>The embedded float model, made by <c>fewbit train</c> with samples/Recipes/demo.yaml; it says how its pictures are prepared.</summary>
    private static Graph Model()
    {
        using Stream stream = typeof(DemoJob).Assembly.GetManifestResourceStream("demo.onnx") ?? throw new InvalidOperationException("Bug in the build: demo.onnx is not embedded");
        return OnnxFile.Load(stream);
    }

    private QuantizationResult Quantize(Graph original, string format)
    {
        using ModelRunner inputs = Engines.Fewbit(original);
        var batches = new SampleBatches(_calibration, inputs.Inputs, Preprocessing.Tf);
        return output.WithProgress($"quantizing to {format}", CalibrationPictures, "pictures", progress => Quantizer.For(original)
            .Calibrate(batches.Enumerate(cancellation).Select(batch => batch.Inputs), CalibrationPictures)
            .RunAsync(new() { Weights = IntegerFormat.Parse(format) }, new CalibratedSamples(progress), cancellation).GetAwaiter().GetResult());
    }

    private EvaluationResult Evaluate(IModelRunner floatModel, Graph quantized, string format)
    {
        using IModelRunner model = Engines.Fewbit(quantized);
        var batches = new SampleBatches(_unseen, floatModel.Inputs, Preprocessing.Tf);
        return output.WithProgress($"judging {format}", UnseenPictures, "pictures", progress => ModelEvaluation.Compare(floatModel, model, batches.Enumerate(cancellation), null, progress, cancellation));
    }

    private IReadOnlyDictionary<string, RoundTimes> Time(Graph original, Dictionary<string, QuantizationResult> models)
    {
        var runners = new Dictionary<string, IModelRunner>(StringComparer.Ordinal) { ["float"] = Engines.Fewbit(original) };
        try
        {
            foreach ((string format, QuantizationResult result) in models) runners[format] = Engines.Fewbit(result.Model);
            var one = new SampleBatches(_unseen.Subset([0], "one"), runners["float"].Inputs, Preprocessing.Tf, new() { BatchSize = 1, Threads = 1 }).First().Inputs;
            Contender[] contenders = [.. runners.Select(pair => Contender.Of(pair.Key, pair.Value, one))];
            return output.WithProgress("timing", SpeedTest.Rounds, "rounds", progress => SpeedTest.Measure(contenders, progress, cancellation));
        }
        finally
        {
            foreach (IModelRunner runner in runners.Values) runner.Dispose();
        }
    }

    private static DemoRow Row(string name, double top1, Judgement? against, long bytes, long packed, TimeSpan time)
    {
        Interval interval = PairedStatistics.OfProportion((long)Math.Round(top1 * UnseenPictures), UnseenPictures);
        return new(name, top1, interval.Low, interval.High, against, bytes, packed, time.TotalSeconds);
    }

    private void Keep(Graph original, Dictionary<string, QuantizationResult> models)
    {
        Directory.CreateDirectory(keep!);
        string In(string name) => Path.Combine(keep!, name);
        OnnxFile.Save(original, In("demo.onnx"));
        foreach ((string format, QuantizationResult result) in models)
        {
            PreprocessingMetadata.Write(result.Model, Preprocessing.Tf);
            result.Save(In($"demo.{format}.onnx"));
        }
        _calibration.Save(In("calibration.bin"));
        _unseen.Save(In("unseen.bin"));
        if (trainingPictures > 0) new DemoData(TrainingSeed, trainingPictures, "to train on").Save(In("training.bin"));
        File.WriteAllLines(In("classes.txt"), DemoPictures.Classes);
    }
}
