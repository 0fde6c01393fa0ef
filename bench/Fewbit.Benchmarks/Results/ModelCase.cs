using Fewbit.Data;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.Tensors;

namespace Fewbit.Benchmarks.Results;

/// <summary>A model of the data folder with what it is calibrated and judged on.</summary>
/// <param name="Name">Name in the tables.</param>
/// <param name="Model">File under the data root.</param>
/// <param name="Calibration">Batches to calibrate on, for the loaded model.</param>
/// <param name="Judge">Batches to judge on, by name of the set.</param>
internal sealed record ModelCase(
    string Name, string Model, Func<Graph, IEnumerable<SampleBatch>> Calibration, IReadOnlyList<(string Set, Func<Graph, IEnumerable<SampleBatch>> Batches)> Judge)
{
    /// <summary>Training pictures to choose options by. Default: those of calibration.</summary>
    public Func<Graph, IEnumerable<SampleBatch>> Selection { get => field ?? Calibration; init; }

    public Graph Load() => OnnxFile.Load(Machine.Data(Model));

    /// <summary>The labelled classifiers.</summary>
    /// <param name="seed">Of the draw of calibration pictures.</param>
    public static IEnumerable<ModelCase> Classifiers(long seed = 1)
    {
        foreach ((string name, string preset) in ((string, string)[])[("resnet20", "cifar10"), ("resnet20_jpegft", "cifar10"), ("resnet56", "cifar10"), ("mlperf_tiny_resnet8", "0-255")])
        {
            yield return new(name, $"cifar10/models/{name}.onnx",
                graph => Pictures(graph, Open("cifar10/calib_lossless_1024.bin"), preset, 512, seed),
                [
                    ("test_jpeg_10000", graph => Pictures(graph, Open("cifar10/test_jpeg_10000.bin"), preset)),
                    ("test_lossless_846", graph => Pictures(graph, Open("cifar10/test_lossless_846.bin"), preset)),
                ])
            {
                Selection = graph => Pictures(graph, Open("cifar10/train_jpegpack_16000.bin"), preset, 512, seed),
            };
        }
        foreach ((string name, string preset) in ((string, string)[])[("squeezenet1_1", "imagenet"), ("tinydarknet", "0-1"), ("mobilenetv2_1.0_dequant", "tf")])
        {
            yield return new(name, $"imagenet/models/{name}.onnx",
                graph => Pictures(graph, Every7th(true), preset),
                [("600 ImageNet pictures", graph => Pictures(graph, Every7th(false), preset))]);
        }
    }

    /// <summary>Models without labels: judged by how far their outputs lie from the float model's.</summary>
    public static IEnumerable<ModelCase> Unlabelled()
    {
        foreach ((string name, string preset, string folder) in ((string, string, string)[])[
            ("nanodet_m_416", "nanodet", "detection/models"), ("FastestDet_352", "bgr-0-1", "detection/models"), ("ultraface_rfb_320", "ultraface", "detection/models"),
            ("vww_mobilenet_0.25_96", "0-1", "mlperf_tiny")])
        {
            yield return new(name, $"{folder}/{name}.onnx", graph => Pictures(graph, Every7th(true), preset), [("64 ImageNet pictures", graph => Pictures(graph, Every7th(false), preset, 64))]);
        }
        foreach (string name in (string[])["imdn_rtc_x2", "imdn_x4", "rfdn_x4", "vdsr_y"])
        {
            yield return new(name, $"super_resolution/models/{name}.onnx", graph => Crops(graph, "super_resolution/BSDS200", 48),
                [("T91 and BSD100", graph => Crops(graph, "super_resolution/T91", 48).Concat(Crops(graph, "super_resolution/BSD100/LRx2", 64)))]);
        }
        yield return new("mnist_unet_gn_attn", "diffusion/mnist_unet_gn_attn.onnx", graph => Noise(graph, 2, 64), [("64 noisy digits", graph => Noise(graph, 3, 64))]);
        yield return new("mnist_unet_ln", "diffusion/mnist_unet_ln.onnx", graph => Noise(graph, 2, 64), [("64 noisy digits", graph => Noise(graph, 3, 64))]);
        yield return new("stories260K", "text/stories260K/stories260K.onnx", graph => Tokens(graph, "text/stories260K/teacher_samples_32x96_u16.bin", 24, 0, 64), [("64 pieces of teacher samples", graph => Tokens(graph, "text/stories260K/teacher_samples_32x96_u16.bin", 24, 64, 64))]);
        yield return new("char_lstm_es", "text/char_lstm_es/char_lstm_es.onnx", graph => Tokens(graph, "text/char_lstm_es/teacher_samples_64x128_u16.bin", 64, 0, 64), [("64 pieces of teacher samples", graph => Tokens(graph, "text/char_lstm_es/teacher_samples_64x128_u16.bin", 64, 64, 64))]);
        yield return new("kws_dscnn", "mlperf_tiny/kws_dscnn.onnx", graph => Normal(graph, 4, 256), [("64 normal inputs", graph => Normal(graph, 5, 64))]);
        yield return new("ad_autoencoder", "mlperf_tiny/ad_autoencoder.onnx", graph => Normal(graph, 4, 256), [("64 normal inputs", graph => Normal(graph, 5, 64))]);
    }

    private static DataSet Open(string path) => DataSetReader.Open(Machine.Data(path));

    /// <summary>Of the 700 pictures every seventh is for calibration; the other 600 judge.</summary>
    private static DataSet Every7th(bool calibration)
    {
        DataSet all = Open("imagenet/images");
        int[] chosen = [.. Enumerable.Range(0, all.Count).Where(i => i % 7 == 0 == calibration)];
        return all.Subset(chosen, calibration ? "every seventh picture" : "all but every seventh picture");
    }

    private static SampleBatches Pictures(Graph graph, DataSet data, string preset, int? count = null, long seed = 1)
    {
        if (count is { } wanted) data = SampleSelection.Draw(data, wanted, seed);
        return new(data, Inputs(graph), PresetOf(preset), new() { BatchSize = 16 });
    }

    private static Preprocessing PresetOf(string name) => name switch
    {
        "nanodet" => new() { Name = name, ColourOrder = ColourOrder.Bgr, Mean = [103.53, 116.28, 123.675], Std = [57.375, 57.12, 58.395], Fit = PictureFit.Exact },
        "bgr-0-1" => Preprocessing.ZeroToOne with { Name = name, ColourOrder = ColourOrder.Bgr, Fit = PictureFit.Exact },
        "ultraface" => new() { Name = name, Mean = [127], Std = [128], Fit = PictureFit.Exact },
        _ => Preprocessing.Preset(name),
    };

    /// <summary>Centre crops, so that pictures of different sizes share batches.</summary>
    private static SampleBatches Crops(Graph graph, string folder, int size) =>
        new(Open(folder), Inputs(graph), Preprocessing.ZeroToOne with { Name = $"crop{size}", Size = size }, new() { BatchSize = 4 });

    /// <summary>Digits of MNIST's test split, noised as at random steps of the diffusion.</summary>
    private static IEnumerable<SampleBatch> Noise(Graph graph, ulong seed, int count)
    {
        DataSet digits = SampleSelection.Draw(Open("mnist"), count, (long)seed);
        var random = new SeededRandom(seed);
        for (int first = 0; first < count; first += 8)
        {
            Tensor x = Tensor.AllocateUninitialized(ElementType.Float32, [8, 1, 28, 28]), t = Tensor.AllocateUninitialized(ElementType.Int64, [8]);
            for (int i = 0; i < 8; i++)
            {
                int step = random.NextInt(1000);
                t.Span<long>()[i] = step;
                // Cosine schedule: the share of signal that is left at this step.
                double signal = Math.Cos(step / 1000.0 * Math.PI / 2), noise = Math.Sqrt(1 - signal * signal);
                byte[] pixels = digits.Read(first + i).Picture!.Pixels.ToArray();
                for (int p = 0; p < 784; p++) x.Span<float>()[i * 784 + p] = (float)(signal * (pixels[p] / 127.5 - 1) + noise * random.NextNormal());
            }
            yield return new(new Dictionary<string, Tensor> { [graph.Inputs[0].Name] = x, [graph.Inputs[1].Name] = t }, 8, first, null);
        }
    }

    private static IEnumerable<SampleBatch> Tokens(Graph graph, string file, int length, int first, int count)
    {
        byte[] bytes = File.ReadAllBytes(Machine.Data(file));
        for (int row = first; row < first + count; row += 4)
        {
            Tensor ids = Tensor.AllocateUninitialized(ElementType.Int64, [4, length]);
            for (int i = 0; i < 4 * length; i++) ids.Span<long>()[i] = BitConverter.ToUInt16(bytes, 2 * (row * length + i));
            yield return new(new Dictionary<string, Tensor> { [graph.Inputs[0].Name] = ids }, 4, row, null);
        }
    }

    private static IEnumerable<SampleBatch> Normal(Graph graph, ulong seed, int count)
    {
        var random = new SeededRandom(seed);
        Value input = graph.Inputs[0];
        Shape shape = input.Shape!.With(0, 16).ToShape();
        for (int first = 0; first < count; first += 16)
        {
            Tensor x = Tensor.AllocateUninitialized(ElementType.Float32, shape);
            foreach (ref float value in x.Span<float>()) value = (float)random.NextNormal();
            yield return new(new Dictionary<string, Tensor> { [input.Name] = x }, 16, first, null);
        }
    }

    private static ValueInfo[] Inputs(Graph graph) => [.. graph.Inputs.Select(input => new ValueInfo(input.Name, input.Type, input.Shape))];
}
