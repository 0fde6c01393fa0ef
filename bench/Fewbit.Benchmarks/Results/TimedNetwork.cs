using Fewbit.Graphs;
using Fewbit.Models;
using Fewbit.Onnx;
using Fewbit.Tensors;

namespace Fewbit.Benchmarks.Results;

/// <summary>A network as a file, with the inputs that it is timed on.</summary>
/// <param name="Name">Name in the tables.</param>
/// <param name="Path">The ONNX file.</param>
/// <param name="Batch">Samples a run.</param>
internal sealed record TimedNetwork(string Name, string Path, int Batch)
{
    /// <summary>Networks that the speed of float forward passes is judged by.</summary>
    public static IReadOnlyList<TimedNetwork> Zoo { get; } =
    [
        FromZoo("resnet18", 1), FromZoo("resnet50", 1), FromZoo("mobilenetv2", 1), FromZoo("regnetx-600mf", 1), FromZoo("transformer-encoder", 1), FromZoo("transformer-decoder", 1),
        new("resnet20", Machine.Data("cifar10/models/resnet20.onnx"), 64),
    ];

    /// <summary>Further pretrained files of the data folder.</summary>
    public static IReadOnlyList<TimedNetwork> Real { get; } =
    [
        Pretrained("cifar10/models/resnet20", 1), Pretrained("cifar10/models/resnet56", 64), Pretrained("cifar10/models/mlperf_tiny_resnet8", 64),
        Pretrained("imagenet/models/squeezenet1_1", 1), Pretrained("imagenet/models/tinydarknet", 1), Pretrained("imagenet/models/mobilenetv2_1.0_dequant", 1),
    ];

    /// <summary>A network of the zoo with the weights of seed 1, written once for all runs of this program.</summary>
    public static TimedNetwork FromZoo(string name, int batch)
    {
        string path = System.IO.Path.Combine(System.IO.Path.GetTempPath(), "fewbit-zoo", typeof(ReferenceModels).Assembly.ManifestModule.ModuleVersionId.ToString("N")[..8], name + ".onnx");
        if (!File.Exists(path))
        {
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
            OnnxFile.Save(ReferenceModels.Find(name).Create(), path);
        }
        return new(name, path, batch);
    }

    /// <summary>Normally distributed numbers, or token numbers below 1000, for every input.</summary>
    public Dictionary<string, Tensor> Inputs(IEnumerable<ValueInfo> inputs, ulong seed = 1)
    {
        var random = new SeededRandom(seed);
        var tensors = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (ValueInfo input in inputs)
        {
            Tensor tensor = Tensor.AllocateUninitialized(input.Type, input.Shape!.With(0, Batch).ToShape());
            if (input.Type == ElementType.Int64)
            {
                foreach (ref long id in tensor.Span<long>()) id = random.NextInt(1000);
            }
            else
            {
                foreach (ref float value in tensor.Span<float>()) value = (float)random.NextNormal();
            }
            tensors.Add(input.Name, tensor);
        }
        return tensors;
    }

    private static TimedNetwork Pretrained(string path, int batch) => new(System.IO.Path.GetFileName(path), Machine.Data(path + ".onnx"), batch);
}
