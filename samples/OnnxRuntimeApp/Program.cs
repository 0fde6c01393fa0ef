using System.Diagnostics;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

if (args is not [string path])
{
    Console.Error.WriteLine("usage: dotnet run -- model.int8.onnx");
    return 2;
}

// A quantized model is an ordinary ONNX file: ONNX Runtime fuses its QDQ pairs to integer operators while it loads. Inputs and outputs stay float.
using var options = new SessionOptions { GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL };
using var session = new InferenceSession(path, options);
List<NamedOnnxValue> inputs = [.. session.InputMetadata.Select(pair => Random(pair.Key, pair.Value))];

using (IDisposableReadOnlyCollection<DisposableNamedOnnxValue> outputs = session.Run(inputs))
{
    foreach (DisposableNamedOnnxValue output in outputs.Where(output => output.ElementType == TensorElementType.Float))
    {
        Tensor<float> numbers = output.AsTensor<float>();
        Console.WriteLine($"{output.Name} [{string.Join(", ", numbers.Dimensions.ToArray())}]: {string.Join(", ", numbers.Take(5).Select(number => number.ToString("F3")))} ...");
    }
}

const int runs = 200;
var clock = Stopwatch.StartNew();
for (int i = 0; i < runs; i++) session.Run(inputs).Dispose();
Console.WriteLine($"{clock.Elapsed.TotalMilliseconds / runs:F3} ms a run");
return 0;

// Your own data come here. Open lengths are taken as 1; whole numbers (tokens) as 0.
static NamedOnnxValue Random(string name, NodeMetadata input)
{
    int[] shape = [.. input.Dimensions.Select(length => Math.Max(1, length))];
    int count = shape.Aggregate(1, (product, length) => product * length);
    var random = new Random(1);
    return input.ElementDataType switch
    {
        TensorElementType.Float => NamedOnnxValue.CreateFromTensor(name, new DenseTensor<float>(Enumerable.Range(0, count).Select(_ => 2 * random.NextSingle() - 1).ToArray(), shape)),
        TensorElementType.Int64 => NamedOnnxValue.CreateFromTensor(name, new DenseTensor<long>(new long[count], shape)),
        var type => throw new NotSupportedException($"input '{name}' is {type}, expected float or int64"),
    };
}
